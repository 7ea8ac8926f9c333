package link

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/link/payload"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// tasksPerMessage bounds a payload message. An agent acknowledges a payload as a whole.
const tasksPerMessage = 20

// sendOrders sends the orders that are due. It looks each task up in snap again, so that
// an order is never older than the state that this server knows.
func (x *session) sendOrders(ctx context.Context, snap *store.Snapshot) error {
	if err := x.sendStrays(ctx, snap); err != nil {
		return err
	}
	now := time.Now()
	due := x.orders.listDue(now)
	if len(due) == 0 {
		return nil
	}
	if slices.ContainsFunc(due, func(o *order) bool { return o.status == acs.StatusRunning && o.sent > 0 }) {
		// The host may have reported to another server.
		fresh, err := x.readFresh(ctx)
		if err != nil {
			x.log.Warn("link: payloads wait for the newest state", "err", err)
			x.orders.postpone(due, now.Add(ackWait/10))
			return nil
		}
		snap = fresh
	}
	for len(due) > 0 {
		n := min(tasksPerMessage, len(due))
		if err := x.sendPayload(ctx, snap, due[:n]); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

// sendPayload sends the orders in list in one message, as far as they still hold.
func (x *session) sendPayload(ctx context.Context, snap *store.Snapshot, list []*order) error {
	m := x.newPayload(snap)
	var sent []*order
	for _, o := range list {
		t := snap.Task(x.peer.cluster, o.task)
		if status := sendableStatus(snap, t, x.peer.id); status != o.status {
			x.orders.set(o.task, status, time.Now())
			continue // the next step sends the new order
		}
		if o.status == acs.StatusStopped {
			m.Tasks = append(m.Tasks, payload.Stop(x.s.site, t.Task))
			sent = append(sent, o)
			continue
		}
		task, err := x.buildRunOrder(snap, t)
		if err != nil {
			x.log.Error("link: task can't be sent", append(contain.Attrs(err), "task", o.task, "times", o.failed+1)...)
			x.orders.markFailed(o, time.Now())
			if errors.Is(err, store.ErrUnreadable) {
				continue // the record may be repaired
			}
			if errors.As(err, new(*contain.Panic)) {
				err = errUnsendable
			}
			x.addChore("stop a task that can't be sent", received{}, func(ctx context.Context) error {
				return stopUnsendable(ctx, x.s.store, x.peer.cluster, o.task, err)
			})
			continue
		}
		m.Tasks = append(m.Tasks, task)
		sent = append(sent, o)
	}
	if len(sent) == 0 {
		return nil
	}
	x.orders.markSent(m.MessageID, sent, time.Now())
	return x.sendMessage(ctx, m)
}

// errUnsendable is the reason that users see for a task whose order panics.
var errUnsendable = errors.New("an error in the server, whose log has more")

// buildRunOrder builds the order to run a task.
func (x *session) buildRunOrder(snap *store.Snapshot, t *fleet.TaskState) (task acs.Task, err error) {
	def, _ := snap.TaskDefinition(t.Family, t.Revision)
	if def == nil {
		return task, cmp.Or(store.Readable(snap, store.TaskDefinitionKey(t.Family, t.Revision)), errNoDefinition)
	}
	err = contain.Do(func() (err error) {
		task, err = payload.Run(x.s.site, t.Task, def)
		return err
	})
	return task, err
}

func (x *session) newPayload(snap *store.Snapshot) *acs.PayloadMessage {
	return &acs.PayloadMessage{
		MessageID: x.newMessageID(), ClusterArn: x.clusterARN(), ContainerInstanceArn: x.instanceARN(),
		GeneratedAt: time.Now().UnixMilli(), SeqNum: x.nextSequence(snap),
	}
}

// sendStrays orders the agent to stop tasks that it should not run, until it acknowledges
// that.
func (x *session) sendStrays(ctx context.Context, snap *store.Snapshot) error {
	due := x.strays.listDue(time.Now())
	for len(due) > 0 {
		n := min(tasksPerMessage, len(due))
		m := x.newPayload(snap)
		for _, o := range due[:n] {
			m.Tasks = append(m.Tasks, acs.Task{Arn: o.task, TaskClusterArn: x.clusterARN(), DesiredStatus: acs.StatusStopped})
		}
		x.strays.markSent(m.MessageID, due[:n], time.Now())
		if err := x.sendMessage(ctx, m); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

func (x *session) taskARN(id string) string { return x.s.site.TaskARN(x.peer.cluster, id) }

// readFresh returns a snapshot that is at least as new as this call.
func (x *session) readFresh(ctx context.Context) (*store.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	return x.s.store.Fresh(ctx)
}

// stopUnsendable stops a task whose order can't be built. The agent gets the order to stop
// it instead, and its answer ends the task.
func stopUnsendable(ctx context.Context, st *store.Store, cluster, id string, why error) error {
	return updateStore(ctx, st, func(tx *store.Tx) error {
		if store.Get(tx, store.TaskKey(cluster, id)) == nil || store.Get(tx, store.TaskStopKey(cluster, id)) != nil {
			return nil
		}
		return store.Put(tx, store.TaskStopKey(cluster, id), &fleet.TaskStop{
			Code: types.TaskStopCodeTaskFailedToStart, Reason: "Task could not be prepared for its host: " + why.Error(), At: time.Now().UTC(),
		})
	})
}
