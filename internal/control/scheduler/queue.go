package scheduler

import (
	"container/heap"
	"time"
)

// work is a service that the leader schedules. Only the leader's goroutine uses it.
type work struct {
	cluster, name string

	dirty         bool      // something has changed since the last inspection began
	mayHaveRoom   bool      // a change may have made room
	inspecting    bool      // it is being inspected
	notBefore     time.Time // earliest time of the next inspection
	wake          time.Time // time of the next inspection even if nothing changes; zero: none
	reportedCause string    // text of the last event that reported why it was set aside

	due   time.Time
	place int // index in the queue; -1: not in it
}

// queue contains the services that are to be inspected, the next one first.
type queue []*work

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	w := x.(*work)
	w.place = len(*q)
	*q = append(*q, w)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	w.place = -1
	return w
}

// update puts a service where it belongs in the queue now, or removes it.
func (q *queue) update(w *work) {
	switch {
	case w.inspecting || !w.dirty && w.wake.IsZero():
		q.remove(w)
		return
	case w.dirty:
		w.due = w.notBefore
	default:
		w.due = w.wake
		if w.due.Before(w.notBefore) {
			w.due = w.notBefore
		}
	}
	if w.place < 0 {
		heap.Push(q, w)
		return
	}
	heap.Fix(q, w.place)
}

func (q *queue) remove(w *work) {
	if w.place >= 0 {
		heap.Remove(q, w.place)
	}
}

// popDue removes and returns the first service if it is due, else nil.
func (q *queue) popDue(now time.Time) *work {
	if len(*q) == 0 || (*q)[0].due.After(now) {
		return nil
	}
	return heap.Pop(q).(*work)
}
