package scheduler

import (
	"container/heap"
	"time"
)

// work is a service that the leader keeps. It belongs to the leader's goroutine.
type work struct {
	cluster, name string

	dirty         bool      // something has changed since the last look began
	mayHaveRoom   bool      // something has changed that could make room
	inspecting    bool      // it is being looked at
	notBefore     time.Time // of the next look, whatever happens
	wake          time.Time // of the next look although nothing changes; zero: none
	reportedCause string    // the event that last told why it was set aside

	due   time.Time
	place int // in the queue, -1 outside
}

// queue holds what is to be looked at, the next first.
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

// put gives a service its place by what is known of it.
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

// next takes the first one that is due.
func (q *queue) popDue(now time.Time) *work {
	if len(*q) == 0 || (*q)[0].due.After(now) {
		return nil
	}
	return heap.Pop(q).(*work)
}
