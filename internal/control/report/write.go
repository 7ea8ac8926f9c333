package report

import (
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Put writes a task's next report, guarded by everything from which it was derived.
// The last report of an instance's last task ends the instance's deregistration.
func Put(tx *store.Tx, t *fleet.TaskState, next *fleet.TaskReport) error {
	if next.Status == fleet.TaskStopped {
		if err := EndDeregistration(tx, t); err != nil {
			return err
		}
	}
	return putReport(tx, t, next)
}

func putReport(tx *store.Tx, t *fleet.TaskState, next *fleet.TaskReport) error {
	k := store.TaskReportKey(t.Cluster, t.ID)
	store.Get(tx, k)
	store.Get(tx, store.TaskKey(t.Cluster, t.ID))
	if next.Status == fleet.TaskStopped {
		store.Get(tx, store.TaskStopKey(t.Cluster, t.ID))
	}
	return store.Put(tx, k, next)
}

// EndDeregistration makes an instance INACTIVE if it is deregistering and t, which
// ends in this transaction, is its last task.
func EndDeregistration(tx *store.Tx, t *fleet.TaskState) error {
	if i := tx.Snapshot().Instance(t.Cluster, t.Instance); i == nil || i.Status != fleet.InstanceDeregistering {
		return nil
	}
	// Without the claim, two last tasks that end at once would each still see the other.
	if err := tx.Claim(store.HostGuard(t.Cluster, t.Instance)); err != nil {
		return err
	}
	if u := tx.Snapshot().Usage(t.Cluster, t.Instance); u == nil || u.Pending+u.Running > 1 {
		return nil
	}
	k := store.InstanceKey(t.Cluster, t.Instance)
	next := *store.Get(tx, k)
	next.Status = fleet.InstanceInactive
	next.Version++
	return store.Put(tx, k, &next)
}

// ReadDefinition returns a task's definition, or nil if it is deleted. It returns an
// error if the definition can't be read: what a report means is not known then.
func ReadDefinition(snap *store.Snapshot, t *fleet.TaskState) (*fleet.TaskDefinition, error) {
	if d, _ := snap.TaskDefinition(t.Family, t.Revision); d != nil {
		return d, nil
	}
	return nil, store.Readable(snap, store.TaskDefinitionKey(t.Family, t.Revision))
}

// EndTask writes the end of a task whose host is gone for good, or has reported that
// it does not know the task. It is the only report that comes from no host. The
// caller decides what becomes of the instance.
func EndTask(tx *store.Tx, t *fleet.TaskState, reason string, now time.Time) error {
	wish := t.Stop
	if wish == nil {
		wish = &fleet.TaskStop{Code: types.TaskStopCodeInfrastructureHealth, Reason: reason, At: now}
	}
	if err := Stop(tx, t.Cluster, t.ID, wish); err != nil {
		return err
	}
	d, _ := tx.Snapshot().TaskDefinition(t.Family, t.Revision)
	next := Apply(&fleet.TaskState{Task: t.Task, Stop: wish, Report: t.Report}, d, Statement{Status: fleet.TaskStopped}, now)
	if next == nil {
		return nil
	}
	return putReport(tx, t, next)
}

// Stop writes the request to stop a task, unless it has stopped or there is an
// earlier request. The first request stays, because its reason counts.
func Stop(tx *store.Tx, cluster, id string, wish *fleet.TaskStop) error {
	k := store.TaskStopKey(cluster, id)
	if store.Get(tx, k) != nil {
		return nil
	}
	if store.Get(tx, store.TaskKey(cluster, id)) == nil {
		return nil
	}
	if r := store.Get(tx, store.TaskReportKey(cluster, id)); r != nil && r.Status == fleet.TaskStopped {
		return nil
	}
	return store.Put(tx, k, wish)
}

// StopWaiting ends a task that waits for a host. It writes the task's report itself:
// there was never a host that could report its end.
func StopWaiting(tx *store.Tx, cluster, id string, wish *fleet.TaskStop) error {
	k := store.WaitingTaskKey(cluster, id)
	t := store.Get(tx, k)
	if t == nil {
		return nil
	}
	d, _ := tx.Snapshot().TaskDefinition(t.Family, t.Revision)
	end := Apply(&fleet.TaskState{Task: t, Stop: wish}, d, Statement{Status: fleet.TaskStopped}, wish.At)
	if err := store.Delete(tx, k); err != nil {
		return err
	}
	if err := store.Create(tx, store.TaskKey(cluster, id), t); err != nil {
		return err
	}
	if err := store.Create(tx, store.TaskStopKey(cluster, id), wish); err != nil {
		return err
	}
	return store.Create(tx, store.TaskReportKey(cluster, id), end)
}
