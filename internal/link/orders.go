package link

import (
	"slices"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

const (
	ackWait     = time.Minute      // an unacknowledged payload is sent again after this
	stopWaitMax = 10 * time.Minute // longest back-off between STOPPED orders
)

// wantedStatus returns the status that an instance's agent must be ordered to bring a task
// to: RUNNING, STOPPED, or "" for no order. instance is the id of the session's instance.
func wantedStatus(t *fleet.TaskState, instance string) string {
	switch {
	case t == nil || t.Instance != instance || !t.Holds():
		return ""
	case t.Stop != nil:
		return acs.StatusStopped
	case t.Report == nil:
		return acs.StatusRunning
	}
	return ""
}

// sendableStatus returns the wantedStatus of a task in a snapshot, or "" where it is not
// safe to send. A task whose records can't all be decoded may have reported, or may have
// to stop. After a restore, a task may have run since the backup. In both cases it is not
// ordered to run.
func sendableStatus(snap *store.Snapshot, t *fleet.TaskState, instance string) string {
	status := wantedStatus(t, instance)
	if status == acs.StatusRunning && (snap.Uncertain(t.Cluster, t.ID) || snap.AllReadable(store.TaskMembers(t.Cluster, t.ID)) != nil) {
		return ""
	}
	return status
}

// order is an order to the agent that is repeated until the state shows its result.
type order struct {
	task         string // id
	status       string // RUNNING or STOPPED
	due          time.Time
	acknowledged bool // acknowledged, so it is not repeated on this connection
	sent         int
	failed       int // how often it could not be sent
}

// orders are the outstanding orders of one connection. It is plain data: the session reads
// the state, sends, and passes the time in.
type orders struct {
	byTask    map[string]*order
	byMessage map[string][]string // message id of a payload → its tasks
}

func newOrders() *orders {
	return &orders{byTask: map[string]*order{}, byMessage: map[string][]string{}}
}

// set sets the wanted status of a task. "" removes the task's order.
func (o *orders) set(task, status string, now time.Time) {
	old := o.byTask[task]
	switch {
	case status == "":
		delete(o.byTask, task)
	case old == nil || old.status != status:
		o.byTask[task] = &order{task: task, status: status, due: now}
	}
}

// listDue returns the orders that are due at now, STOPPED before RUNNING.
func (o *orders) listDue(now time.Time) []*order {
	var list []*order
	for _, x := range o.byTask {
		if !x.acknowledged && !x.due.After(now) {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *order) int {
		if a.status != b.status {
			if a.status == acs.StatusStopped {
				return -1
			}
			return 1
		}
		if a.task < b.task {
			return -1
		}
		return 1
	})
	return list
}

// markSent records that one message with the orders was sent.
func (o *orders) markSent(message string, list []*order, now time.Time) {
	for _, x := range list {
		x.sent++
		x.due = now.Add(ackWait)
		if x.status == acs.StatusStopped {
			x.due = now.Add(min(ackWait<<min(x.sent-1, 10), stopWaitMax))
		}
		o.byMessage[message] = append(o.byMessage[message], x.task)
	}
}

// markAcknowledged records that the agent has acknowledged a message. A STOPPED order
// stays: only the host's report ends it.
func (o *orders) markAcknowledged(message string) {
	for _, task := range o.byMessage[message] {
		if x := o.byTask[task]; x != nil && x.status == acs.StatusRunning {
			x.acknowledged = true
		}
	}
	delete(o.byMessage, message)
}

// postpone changes the time at which orders are due.
func (o *orders) postpone(list []*order, to time.Time) {
	for _, x := range list {
		x.due = to
	}
}

// markFailed postpones an order that could not be sent, longer each time.
func (o *orders) markFailed(x *order, now time.Time) {
	x.due = now.Add(min(ackWait<<min(x.failed, 10), stopWaitMax))
	x.failed++
}

// nextDue returns when the next order is due. ok is false if there is none.
func (o *orders) nextDue() (at time.Time, ok bool) {
	for _, x := range o.byTask {
		if !x.acknowledged && (!ok || x.due.Before(at)) {
			at, ok = x.due, true
		}
	}
	return at, ok
}

// removeMessage removes all orders of an acknowledged message.
func (o *orders) removeMessage(message string) {
	for _, task := range o.byMessage[message] {
		delete(o.byTask, task)
	}
	delete(o.byMessage, message)
}
