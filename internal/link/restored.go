package link

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// After a restore (see fleet.Restored) hosts run tasks that the state does not know, and
// know of ends that the state does not. The hosts' data decides. A task that runs is
// imported as it is. An unknown task reserves its resources and runs until a user stops
// it.

// reasonUncertain ends a task of the backup that its host does not know.
const reasonUncertain = "The state was restored from a backup in which the task had not started, and its host does not know it: whether it has run since is not known."

// Bounds of a host's data about an unknown task.
const (
	maxTaskContainers, maxTaskPorts = 10, 100
	maxRevision                     = 1 << 30
	unknownFamily                   = "unknown"
)

// importTasks stores the tasks that a host says are running.
func (x *session) importTasks(ctx context.Context, tasks []acs.InventoryTask) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	var all []runningTask
	for i := range tasks {
		if r, ok := x.parseRunning(&tasks[i]); ok && len(all) < maxStrays {
			all = append(all, r)
		}
	}
	for len(all) > 0 {
		var unknown []string
		remaining, left, err := x.importBatch(ctx, all, now, &unknown)
		if err != nil {
			return err
		}
		all = remaining
		for _, l := range left {
			x.log.Warn("link: a task that the host runs is left as it is", append(contain.Attrs(l.Err), "task", l.Item.id)...)
		}
		for _, id := range unknown {
			x.log.Warn("link: host runs a task that the restored state does not know: it runs on as an unknown one, `ashore unknown` tells of it", "task", id)
			// The task's end may have been reported in the meantime, when no record of
			// it existed.
			if x.hasEnded(id) {
				if err := endLostTask(ctx, x.s.store, x.peer, id, reasonEnded); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// importBatch imports as many tasks as fit into one transaction. It returns the rest, and
// those that it left out because of an error. It adds to unknown the ids of tasks that had
// no record.
func (x *session) importBatch(ctx context.Context, batch []runningTask, now time.Time, unknown *[]string) (remaining []runningTask, left []store.LeftOut[runningTask], err error) {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	var created map[string]bool
	remaining, left, err = store.UpdateSome(ctx, x.s.store, batch,
		func(*store.Tx) error { created = map[string]bool{}; return nil },
		func(tx *store.Tx, r runningTask) error {
			isNew, err := x.importTask(tx, &r, now)
			created[r.id] = isNew
			return err
		})
	for _, r := range batch[:len(batch)-len(remaining)] {
		if created[r.id] && !slices.ContainsFunc(left, func(l store.LeftOut[runningTask]) bool { return l.Item.id == r.id }) {
			*unknown = append(*unknown, r.id)
		}
	}
	return remaining, left, err
}

// runningTask is a task that runs on the host, according to the host.
type runningTask struct {
	parsedReport
	account    *acs.TaskAccount // nil if the host only says that it runs
	containers []string
}

// parseRunning parses a task of an inventory. ok is false if it does not run.
func (x *session) parseRunning(t *acs.InventoryTask) (r runningTask, ok bool) {
	if t.DesiredStatus == acs.StatusStopped || t.Status == acs.StatusStopped {
		return r, false
	}
	reported := acs.TaskReport{TaskArn: t.TaskArn, Status: t.Status}
	if t.Account != nil {
		reported = t.Account.Report
		reported.TaskArn = t.TaskArn
	}
	if reported.Status != acs.StatusRunning {
		reported.Status = acs.StatusPending
	}
	if r.parsedReport, ok = x.parseReport(&reported); !ok {
		return r, false
	}
	r.account = t.Account
	for _, c := range t.Containers {
		if fleet.ValidName(c.ContainerName) && !slices.Contains(r.containers, c.ContainerName) && len(r.containers) < maxTaskContainers {
			r.containers = append(r.containers, c.ContainerName)
		}
	}
	return r, true
}

// importTask imports one task as part of a transaction, and reports whether it had no
// record.
func (x *session) importTask(tx *store.Tx, r *runningTask, now time.Time) (unknown bool, err error) {
	snap := tx.Snapshot()
	inst := store.Get(tx, store.InstanceKey(x.peer.cluster, x.peer.id))
	if inst == nil || inst.Status == fleet.InstanceInactive || store.Get(tx, store.RestoredKey()) == nil {
		return false, nil
	}
	t := snap.Task(x.peer.cluster, r.id)
	if t == nil {
		task := x.newUnknownTask(inst, r, now)
		if err := store.Create(tx, store.TaskKey(task.Cluster, task.ID), task); err != nil {
			return false, err
		}
		// The task waited for a host when the backup was made, and got one afterwards.
		if k := store.WaitingTaskKey(task.Cluster, task.ID); store.Get(tx, k) != nil {
			if err := store.Delete(tx, k); err != nil {
				return false, err
			}
		}
		if err := tx.Claim(store.HostGuard(task.Cluster, task.Instance)); err != nil {
			return false, err
		}
		unknown = true
		t = &fleet.TaskState{Task: task}
	}
	if t.Instance != x.peer.id || !t.Holds() {
		return unknown, nil
	}
	d, _ := snap.TaskDefinition(t.Family, t.Revision)
	next := report.Apply(t, d, r.statement, now)
	if next == nil {
		return unknown, nil
	}
	return unknown, report.Put(tx, t, next)
}

// newUnknownTask returns the record of a task that only its host knows. What it reserves
// is limited to what the host has.
func (x *session) newUnknownTask(inst *fleet.Instance, r *runningTask, now time.Time) *fleet.Task {
	t := &fleet.Task{
		Cluster: x.peer.cluster, ID: r.id, Instance: x.peer.id, Family: unknownFamily, LaunchType: types.LaunchTypeExternal,
		CreatedAt: now, StartedBy: fleet.StartedUnknown, Unknown: true,
	}
	for _, name := range r.containers {
		t.Containers = append(t.Containers, fleet.TaskContainer{Name: name, ID: fleet.UUID(fleet.DerivedID(r.id, name))})
	}
	if a := r.account; a != nil {
		if n, err := strconv.Atoi(a.Version); err == nil && n > 0 && n <= maxRevision && fleet.ValidName(a.Family) {
			t.Family, t.Revision = a.Family, n
		}
		switch l := types.LaunchType(a.LaunchType); l {
		case types.LaunchTypeEc2, types.LaunchTypeFargate:
			t.LaunchType = l
		}
		t.Reserve = reservationOf(inst, a)
	}
	t.Group = "family:" + t.Family
	return t
}

// reservationOf returns what an unknown task reserves on its host.
func reservationOf(inst *fleet.Instance, a *acs.TaskAccount) fleet.Reservation {
	within := func(n int64, most int) int { return int(min(max(n, 0), int64(max(most, 0)))) }
	r := fleet.Reservation{CPU: within(a.CPU, inst.Registered.CPU), Memory: within(a.Memory, inst.Registered.Memory)}
	add := func(ports []int, proto fleet.Protocol) {
		for _, n := range ports {
			p := fleet.Port{Number: uint16(n), Protocol: proto}
			if n > 0 && n <= 65535 && len(r.Ports) < maxTaskPorts && !slices.Contains(r.Ports, p) {
				r.Ports = append(r.Ports, p)
			}
		}
	}
	add(a.TCP, fleet.TCP)
	add(a.UDP, fleet.UDP)
	for _, g := range a.GPUs {
		if slices.Contains(inst.Registered.GPUs, g) && !slices.Contains(r.GPUs, g) {
			r.GPUs = append(r.GPUs, g)
		}
	}
	return r
}

// noteEndedTask records the end of a task that may have no record. An inventory that lists
// the task as running may still wait to be compared.
func (x *session) noteEndedTask(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.endedTasks) < maxStrays {
		x.endedTasks[id] = struct{}{}
	}
}

// hasEnded reports whether noteEndedTask was called for a task.
func (x *session) hasEnded(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.endedTasks[id]
	return ok
}
