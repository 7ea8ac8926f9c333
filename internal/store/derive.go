package store

import (
	"maps"
	"strings"
	"unique"

	"github.com/ashore/ashore/internal/fleet"
)

func applyInstance(t *tables, key string, data []byte, mod int64) error {
	was, _ := t.instances.get(key)
	if err := t.instances.put(key, data, mod); err != nil {
		return err
	}
	t.instancesMod = max(t.instancesMod, mod)
	is, at := t.instances.get(key)
	m := memberOf(key)
	t.updateHost(m, func(r *hostRow) { r.instance, r.instanceMod = is, at })
	if d := countsAsInstance(is) - countsAsInstance(was); d != 0 {
		t.count(m.cluster, func(c *ClusterCounts) { c.Instances += d })
	}
	return nil
}

// applyWaiting applies the record of a task that waits for a host. Such a task counts
// as pending.
func applyWaiting(t *tables, key string, data []byte, mod int64) error {
	was, _ := t.waiting.get(key)
	if err := t.waiting.put(key, data, mod); err != nil {
		return err
	}
	is, _ := t.waiting.get(key)
	cluster, _, _ := strings.Cut(key, "/")
	wait := func(task *fleet.Task, d int) {
		if task != nil {
			t.count(cluster, func(c *ClusterCounts) { c.add(task, d, 0); c.Waiting += d })
			t.countReference(task, d)
			t.countProvider(cluster, task, d)
			t.countService(cluster, task, func(c *ServiceCounts) { c.Pending += d })
		}
	}
	wait(was, -1)
	wait(is, +1)
	return nil
}

// add adds tasks to the counts of pending and running tasks.
func (c *ClusterCounts) add(task *fleet.Task, pending, running int) {
	c.Pending += pending
	c.Running += running
	if i := launchType(task.LaunchType); i >= 0 {
		c.ByLaunchType[i].Pending += pending
		c.ByLaunchType[i].Running += running
	}
}

// countProvider adds d to the number of tasks of the task's capacity provider.
func (t *tables) countProvider(cluster string, task *fleet.Task, d int) {
	if task.CapacityProvider == "" {
		return
	}
	key := cluster + "/" + task.CapacityProvider
	n, had := t.providerTasks.Get(key)
	switch n += d; {
	case n == 0:
		t.providerTasks.Delete(key)
	case had:
		t.providerTasks.Set(key, n)
	default:
		t.providerTasks.Set(unique.Make(key).Value(), n)
	}
}

func countsAsInstance(i *fleet.Instance) int {
	if i == nil || i.Status == fleet.InstanceInactive {
		return 0
	}
	return 1
}

func (t *tables) count(cluster string, f func(*ClusterCounts)) {
	c, _ := t.counts.Get(cluster)
	f(&c)
	if c == (ClusterCounts{}) {
		t.counts.Delete(cluster)
		return
	}
	t.counts.Set(cluster, c)
}

// applyTask returns the function that applies one of a task's records. part selects the
// record in the row.
func applyTask[V any](part func(*taskRow) (**V, *int64)) func(t *tables, key string, data []byte, mod int64) error {
	return func(t *tables, key string, data []byte, mod int64) error {
		was, _ := t.tasks.Get(key)
		is := &taskRow{}
		if was != nil {
			*is = *was
		}
		value, at := part(is)
		*value, *at = nil, 0
		if data != nil {
			v, err := decode[V](data)
			if err != nil {
				return err
			}
			*value, *at = v, mod
			internStrings(key, v)
		}
		if is.state == (fleet.TaskState{}) {
			t.tasks.Delete(key)
		} else {
			t.tasks.Set(key, is)
		}
		t.index(was, is)
		t.countTask(was, -1)
		t.countTask(is, +1)
		t.touchHost(was, is, mod)
		return nil
	}
}

// countService applies f to the counts of the task's service, of its deployment, and of
// the deployment's tasks at its capacity provider.
func (t *tables) countService(cluster string, task *fleet.Task, f func(*ServiceCounts)) {
	if task.Service() == "" {
		return
	}
	of := [...]string{task.Group, task.StartedBy, task.StartedBy + "/" + task.CapacityProvider}
	n := len(of)
	if task.CapacityProvider == "" {
		n--
	}
	for _, of := range of[:n] {
		key := cluster + "/" + of
		c, had := t.serviceTasks.Get(key)
		f(&c)
		switch {
		case c == (ServiceCounts{}):
			t.serviceTasks.Delete(key)
		case had:
			t.serviceTasks.Set(key, c)
		default:
			t.serviceTasks.Set(unique.Make(key).Value(), c)
		}
	}
}

// index updates the indexes when a task's row changes. Most changes are reports of
// tasks that stay on their host and run on, and change no index.
func (t *tables) index(was, is *taskRow) {
	if taskOf(was) != taskOf(is) {
		t.indexInstance(was, false)
		t.indexInstance(is, true)
	}
	if taskOf(was) != taskOf(is) || desiredStatus(was) != desiredStatus(is) {
		t.indexListed(was, false)
		t.indexListed(is, true)
	}
	if before, now := failedKey(was), failedKey(is); before != now {
		if before != "" {
			t.tasksFailed.update(false, t.private, before, was.state.ID)
		}
		if now != "" {
			t.tasksFailed.update(true, t.private, now, is.state.ID)
		}
	}
	if before, now := endingKey(was), endingKey(is); before != now {
		if before != "" {
			t.tasksEnding.update(false, t.private, before, was.state.ID)
		}
		if now != "" {
			t.tasksEnding.update(true, t.private, now, is.state.ID)
		}
	}
	if before, now := isLive(was), isLive(is); before != now || before && was.state.Task != is.state.Task {
		if before {
			t.countReference(was.state.Task, -1)
		}
		if now {
			t.countReference(is.state.Task, +1)
		}
	}
}

func taskOf(r *taskRow) *fleet.Task {
	if r == nil {
		return nil
	}
	return r.state.Task
}

// failedKey returns the index key of a failed task, "" for other tasks.
func failedKey(r *taskRow) string {
	if task := taskOf(r); task == nil || task.Serial == 0 || !r.state.Failed() {
		return ""
	}
	return r.state.Cluster + "/" + r.state.StartedBy
}

// endingKey returns the index key of a service's task that has a stop order and has not
// stopped, "" for other tasks.
func endingKey(r *taskRow) string {
	task := taskOf(r)
	if task == nil || r.state.Stop == nil || !r.state.Holds() || task.Service() == "" {
		return ""
	}
	return r.state.Cluster + "/" + task.Service()
}

func desiredStatus(r *taskRow) fleet.TaskStatus {
	if taskOf(r) == nil {
		return ""
	}
	return r.state.Desired()
}

func (t *tables) indexInstance(r *taskRow, add bool) {
	if task := taskOf(r); task != nil && task.Instance != "" {
		t.tasksByInstance.update(add, t.private, task.Cluster+"/"+task.Instance, task.ID)
	}
}

func (t *tables) indexListed(r *taskRow, add bool) {
	task := taskOf(r)
	if task == nil {
		return
	}
	f := TaskFilter{Desired: desiredStatus(r), Family: task.Family, StartedBy: task.StartedBy, Group: task.Group, LaunchType: task.LaunchType}
	for key := range f.keys(task.Cluster) {
		t.tasksListed.update(add, t.private, key, task.ID)
	}
}

// countTask adds a task to the derived values (sign 1), or removes it from them (sign
// -1). A row without its immutable record counts for nothing.
func (t *tables) countTask(r *taskRow, sign int) {
	if r == nil || r.state.Task == nil {
		return
	}
	task := r.state.Task
	if !r.state.Holds() {
		t.count(task.Cluster, func(c *ClusterCounts) { c.Stopped += sign })
		if r.state.EndedEarly() {
			t.countService(task.Cluster, task, func(c *ServiceCounts) { c.EndedEarly += sign })
		}
		return
	}
	pending, running := 1, 0
	if r.state.Status() == fleet.TaskRunning {
		pending, running = 0, 1
	}
	t.count(task.Cluster, func(c *ClusterCounts) { c.add(task, sign*pending, sign*running) })
	t.countProvider(task.Cluster, task, sign)
	t.countService(task.Cluster, task, func(c *ServiceCounts) {
		if r.state.Stop != nil {
			c.Stopping += sign
			return
		}
		c.Pending += sign * pending
		c.Running += sign * running
	})
	if task.Instance != "" {
		t.countUsage(member{task.Cluster, task.Instance}, &r.state, sign, pending, running)
	}
}

// countUsage adds a task's reservation to its host's usage (sign 1), or removes it
// (sign -1).
func (t *tables) countUsage(host member, s *fleet.TaskState, sign, pending, running int) {
	t.updateHost(host, func(r *hostRow) {
		u := &fleet.Usage{}
		if r.usage != nil {
			*u = *r.usage
		}
		u.CPU += sign * s.Reserve.CPU
		u.Memory += sign * s.Reserve.Memory
		u.Pending += sign * pending
		u.Running += sign * running
		if sign > 0 {
			var p, g bool
			u.Holders, p = u.Holders.With(s.HostPorts(), s.ID)
			u.GPUs, g = addGPUHolder(u.GPUs, s.Reserve.GPUs, s.ID)
			r.contested = r.contested || p || g
		} else if !r.contested {
			u.Holders = u.Holders.Without(s.ID)
			u.GPUs = removeGPUHolder(u.GPUs, s.Reserve.GPUs, s.ID)
		}
		if u.Pending+u.Running == 0 {
			r.usage, r.contested = nil, false
			return
		}
		r.usage = u
		if sign < 0 && r.contested {
			r.contested = t.recountHolders(host, u, s.ID)
		}
	})
}

// recountHolders computes the holders of a host's ports and GPUs again. Only hosts'
// reports can make several tasks hold one port. If one of these tasks is removed,
// another one becomes the shown holder. recountHolders leaves out the task `without`,
// which is being removed: the tables may already have its next state.
func (t *tables) recountHolders(host member, u *fleet.Usage, without string) (contested bool) {
	u.GPUs = nil
	var ports []fleet.PortHolders
	for id := range t.tasksByInstance.of(host.String(), "") {
		r, ok := t.tasks.Get(host.cluster + "/" + id)
		if !ok || id == without || r.state.Task == nil || !r.state.Holds() {
			continue
		}
		if holders := r.state.HostPortHolders(); len(holders) > 0 {
			ports = append(ports, holders)
		}
		var g bool
		u.GPUs, g = addGPUHolder(u.GPUs, r.state.Reserve.GPUs, id)
		contested = contested || g
	}
	var p bool
	u.Holders, p = fleet.JoinHolders(ports)
	return contested || p
}

// addGPUHolder returns a copy of old with a task as the holder of GPUs. If a GPU has
// several holders, the one with the lowest id is shown, in whatever order they came.
// double says that a GPU has several holders.
func addGPUHolder(old map[string]string, keys []string, task string) (m map[string]string, double bool) {
	if len(keys) == 0 {
		return old, false
	}
	if m = maps.Clone(old); m == nil {
		m = make(map[string]string, len(keys))
	}
	for _, k := range keys {
		if holder, held := m[k]; held && holder != task {
			double = true
			m[k] = min(holder, task)
		} else {
			m[k] = task
		}
	}
	return m, double
}

func removeGPUHolder(old map[string]string, keys []string, task string) map[string]string {
	if len(keys) == 0 {
		return old
	}
	m := maps.Clone(old)
	for _, k := range keys {
		if m[k] == task {
			delete(m, k)
		}
	}
	if len(m) == 0 {
		return nil
	}
	return m
}
