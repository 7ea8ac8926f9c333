package store

import (
	"fmt"
	"maps"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/tidwall/btree"
)

// tables are all records in memory, with their indexes and what is derived from
// them. One goroutine changes them; snapshots are copies.
type tables struct {
	clusters         table[fleet.Cluster]         // name
	instances        table[fleet.Instance]        // cluster/id
	guards           table[Guard]                 // cluster/instance
	sessions         table[fleet.InstanceSession] // cluster/instance
	tokens           table[fleet.Token]           // cluster/hash
	families         table[fleet.Family]          // name
	definitions      table[fleet.TaskDefinition]  // family/revision
	definitionStates table[fleet.TaskDefinitionState]
	accessKeys       table[fleet.AccessKey] // id
	hosts            table[fleet.Host]      // name
	tasks            btree.Map[string, *taskRow]

	tasksByInstance set // cluster/instance → task id
	tasksByFamily   set // cluster/family → task id

	usage  btree.Map[string, *fleet.Usage]  // cluster/instance
	counts btree.Map[string, ClusterCounts] // cluster
}

// taskRow joins a task's three records. It is replaced, never changed.
type taskRow struct {
	state                       fleet.TaskState
	taskMod, stopMod, reportMod int64
}

// ClusterCounts are a cluster's derived numbers. Instances counts those not
// INACTIVE.
type ClusterCounts struct{ Instances, Pending, Running int }

func (t *tables) copied() *tables {
	return &tables{
		clusters: t.clusters.copied(), instances: t.instances.copied(), guards: t.guards.copied(),
		sessions: t.sessions.copied(), tokens: t.tokens.copied(), families: t.families.copied(),
		definitions: t.definitions.copied(), definitionStates: t.definitionStates.copied(),
		accessKeys: t.accessKeys.copied(), hosts: t.hosts.copied(), tasks: *t.tasks.Copy(),
		tasksByInstance: t.tasksByInstance.copied(), tasksByFamily: t.tasksByFamily.copied(),
		usage: *t.usage.Copy(), counts: *t.counts.Copy(),
	}
}

// apply takes over one record's new value, or its deletion where data is nil.
// path is the key below the site's prefix.
func (t *tables) apply(path string, data []byte, mod int64) (Change, error) {
	p := strings.Split(path, "/")
	switch {
	case p[0] == "cluster" && len(p) == 2:
		return Change{ClusterChanged, p[1], ""}, put(&t.clusters, p[1], path, data, mod)
	case p[0] == "cluster" && len(p) == 4 && p[2] == "token":
		return Change{TokenChanged, p[1], p[3]}, put(&t.tokens, p[1]+"/"+p[3], path, data, mod)
	case p[0] == "cluster" && len(p) >= 4 && p[2] == "instance":
		return t.applyInstance(p, path, data, mod)
	case p[0] == "cluster" && len(p) >= 4 && p[2] == "task":
		return Change{TaskChanged, p[1], p[3]}, t.applyTask(p, path, data, mod)
	case p[0] == "family" && len(p) == 2:
		return Change{TaskDefinitionChanged, p[1], ""}, put(&t.families, p[1], path, data, mod)
	case p[0] == "family" && len(p) == 4 && p[2] == "revision":
		return Change{TaskDefinitionChanged, p[1], p[3]}, put(&t.definitions, p[1]+"/"+p[3], path, data, mod)
	case p[0] == "family" && len(p) == 5 && p[2] == "revision" && p[4] == "state":
		return Change{TaskDefinitionChanged, p[1], p[3]}, put(&t.definitionStates, p[1]+"/"+p[3], path, data, mod)
	case p[0] == "accesskey" && len(p) == 2:
		return Change{AccessKeyChanged, "", p[1]}, put(&t.accessKeys, p[1], path, data, mod)
	case p[0] == "host" && len(p) == 2:
		return Change{HostChanged, "", p[1]}, put(&t.hosts, p[1], path, data, mod)
	}
	// A newer server's record: it is not ours to read, and nothing that we
	// write touches it.
	return Change{Kind: UnknownChanged}, nil
}

func put[V any](t *table[V], key, path string, data []byte, mod int64) error {
	if data == nil {
		t.Delete(key)
		return nil
	}
	v, err := decode[V](path, data)
	if err != nil {
		return err
	}
	t.Set(key, row[V]{v, mod})
	return nil
}

func decode[V any](path string, data []byte) (*V, error) {
	v := new(V)
	if err := unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("stored record %s: %w", path, err)
	}
	return v, nil
}

func (t *tables) applyInstance(p []string, path string, data []byte, mod int64) (Change, error) {
	cluster, id := p[1], p[3]
	key := cluster + "/" + id
	change := Change{InstanceChanged, cluster, id}
	switch {
	case len(p) == 4:
		was, _ := t.instances.get(key)
		if err := put(&t.instances, key, path, data, mod); err != nil {
			return change, err
		}
		is, _ := t.instances.get(key)
		if d := present(is) - present(was); d != 0 {
			t.count(cluster, func(c *ClusterCounts) { c.Instances += d })
		}
		return change, nil
	case len(p) == 5 && p[4] == "guard":
		return Change{Kind: GuardChanged, Cluster: cluster, ID: id}, put(&t.guards, key, path, data, mod)
	case len(p) == 5 && p[4] == "session":
		return Change{SessionChanged, cluster, id}, put(&t.sessions, key, path, data, mod)
	}
	return Change{Kind: UnknownChanged}, nil
}

func present(i *fleet.Instance) int {
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

func (t *tables) applyTask(p []string, path string, data []byte, mod int64) error {
	cluster, id := p[1], p[3]
	key := cluster + "/" + id
	was, _ := t.tasks.Get(key)
	is := &taskRow{}
	if was != nil {
		*is = *was
	}
	var err error
	switch {
	case len(p) == 4:
		is.state.Task, is.taskMod, err = part[fleet.Task](path, data, mod)
	case len(p) == 5 && p[4] == "stop":
		is.state.Stop, is.stopMod, err = part[fleet.TaskStop](path, data, mod)
	case len(p) == 5 && p[4] == "report":
		is.state.Report, is.reportMod, err = part[fleet.TaskReport](path, data, mod)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	t.account(was, -1)
	t.account(is, +1)
	if is.state.Task == nil && is.state.Stop == nil && is.state.Report == nil {
		t.tasks.Delete(key)
		return nil
	}
	t.tasks.Set(key, is)
	return nil
}

func part[V any](path string, data []byte, mod int64) (*V, int64, error) {
	if data == nil {
		return nil, 0, nil
	}
	v, err := decode[V](path, data)
	return v, mod, err
}

// account adds a task to the indexes and derived values, or takes it out of
// them with sign -1. A row without its immutable record counts for nothing.
func (t *tables) account(r *taskRow, sign int) {
	if r == nil || r.state.Task == nil {
		return
	}
	task := r.state.Task
	host, family := task.Cluster+"/"+task.Instance, task.Cluster+"/"+task.Family
	if sign > 0 {
		t.tasksByInstance.Insert(host + "\x00" + task.ID)
		t.tasksByFamily.Insert(family + "\x00" + task.ID)
	} else {
		t.tasksByInstance.Delete(host + "\x00" + task.ID)
		t.tasksByFamily.Delete(family + "\x00" + task.ID)
	}
	if !r.state.Holds() {
		return
	}
	old, _ := t.usage.Get(host)
	u := &fleet.Usage{}
	if old != nil {
		*u = *old
	}
	u.CPU += sign * task.Reserve.CPU
	u.Memory += sign * task.Reserve.Memory
	pending, running := 0, 0
	if r.state.Status() == fleet.TaskRunning {
		running = sign
	} else {
		pending = sign
	}
	u.Pending += pending
	u.Running += running
	if ports := r.state.Held(); len(ports) > 0 {
		u.Holders = holders(u.Holders, ports, task.ID, sign)
	}
	if len(task.Reserve.GPUs) > 0 {
		u.GPUs = holders(u.GPUs, task.Reserve.GPUs, task.ID, sign)
	}
	if u.Pending+u.Running == 0 {
		t.usage.Delete(host)
	} else {
		t.usage.Set(host, u)
	}
	t.count(task.Cluster, func(c *ClusterCounts) { c.Pending += pending; c.Running += running })
}

func holders[K comparable](old map[K]string, keys []K, task string, sign int) map[K]string {
	m := maps.Clone(old)
	if m == nil {
		m = make(map[K]string, len(keys))
	}
	for _, k := range keys {
		if sign > 0 {
			m[k] = task
		} else if m[k] == task {
			delete(m, k)
		}
	}
	if len(m) == 0 {
		return nil
	}
	return m
}
