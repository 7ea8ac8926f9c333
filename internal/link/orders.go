package link

import (
	"slices"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

const (
	ackWait     = time.Minute      // after which an unacknowledged payload is sent again
	stopWaitMax = 10 * time.Minute // cap of the back-off between STOPPED orders
)

// wantedStatus says what an instance's agent has to be told of a task: RUNNING,
// STOPPED or, as "", nothing. instance is the id of the session's instance.
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

// sendableStatus is wanted as a snapshot shows the task, as far as it may be told by now.
// One of which a record can't be read may have been reported, or may be to stop;
// one may have run since the backup that the state comes from: neither is sent to
// run.
func sendableStatus(snap *store.Snapshot, t *fleet.TaskState, instance string) string {
	status := wantedStatus(t, instance)
	if status == acs.StatusRunning && (snap.Uncertain(t.Cluster, t.ID) || snap.AllReadable(store.TaskMembers(t.Cluster, t.ID)) != nil) {
		return ""
	}
	return status
}

// order is something that the agent has to be told until the state says that it
// is done.
type order struct {
	task         string // id
	status       string // RUNNING or STOPPED
	due          time.Time
	acknowledged bool // acknowledged and not to be repeated on this connection
	sent         int
	failed       int // times that it could not be sent
}

// orders are those outstanding on one connection. It is plain data: the session
// looks at the state, sends, and tells it the time.
type orders struct {
	byTask    map[string]*order
	byMessage map[string][]string // payload's message id → its tasks
}

func newOrders() *orders {
	return &orders{byTask: map[string]*order{}, byMessage: map[string][]string{}}
}

// set brings the order for a task in line with what the state wants.
func (o *orders) set(task, status string, now time.Time) {
	is := o.byTask[task]
	switch {
	case status == "":
		delete(o.byTask, task)
	case is == nil || is.status != status:
		o.byTask[task] = &order{task: task, status: status, due: now}
	}
}

// listDue returns the orders to be sent at now, STOPPED before RUNNING.
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

// markSent notes that the orders went out in one message.
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

// markAcknowledged notes that the agent has taken a message over. A STOPPED order
// stays: only the report settles it.
func (o *orders) markAcknowledged(message string) {
	for _, task := range o.byMessage[message] {
		if x := o.byTask[task]; x != nil && x.status == acs.StatusRunning {
			x.acknowledged = true
		}
	}
	delete(o.byMessage, message)
}

// postpone moves what is due at now to later.
func (o *orders) postpone(list []*order, to time.Time) {
	for _, x := range list {
		x.due = to
	}
}

// markFailed puts off what could not be sent, longer from one time to the next.
func (o *orders) markFailed(x *order, now time.Time) {
	x.due = now.Add(min(ackWait<<min(x.failed, 10), stopWaitMax))
	x.failed++
}

// nextDue returns when the next order is due.
func (o *orders) nextDue() (at time.Time, ok bool) {
	for _, x := range o.byTask {
		if !x.acknowledged && (!ok || x.due.Before(at)) {
			at, ok = x.due, true
		}
	}
	return at, ok
}

// removeMessage forgets the orders of an acknowledged message altogether.
func (o *orders) removeMessage(message string) {
	for _, task := range o.byMessage[message] {
		delete(o.byTask, task)
	}
	delete(o.byMessage, message)
}
