package contain

import (
	"time"

	"github.com/ashore/ashore/internal/pace"
)

// Failures keeps apart what has failed, each thing for longer from one failure to the
// next. It belongs to one goroutine.
type Failures[K comparable] struct {
	Min, Max time.Duration // 1 s and 1 min unless set

	failed map[K]failure
}

type failure struct {
	times int
	wait  time.Duration
	until time.Time
	due   time.Time // see Due
}

// Add notes that a thing has failed. It returns how many times it has in a row,
// and how long it is set aside.
func (a *Failures[K]) Add(k K, now time.Time) (times int, wait time.Duration) {
	if a.failed == nil {
		a.failed = map[K]failure{}
	}
	f := a.failed[k]
	f.times++
	if f.wait *= 2; f.wait == 0 {
		f.wait = orDefault(a.Min, time.Second)
	}
	f.wait = min(f.wait, orDefault(a.Max, time.Minute))
	wait = pace.About(f.wait)
	f.until = now.Add(wait)
	f.due = f.until
	a.failed[k] = f
	return f.times, wait
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// IsWaiting says whether a thing is set aside at a time.
func (a *Failures[K]) IsWaiting(k K, now time.Time) bool { return now.Before(a.failed[k].until) }

// Forget notes that a thing does well, or is gone.
func (a *Failures[K]) Forget(k K) { delete(a.failed, k) }

// Len is how many things have failed and have not done well since.
func (a *Failures[K]) Len() int { return len(a.failed) }

// Next is when Due has something.
func (a *Failures[K]) Next() (at time.Time, some bool) {
	for _, f := range a.failed {
		if !some || f.due.Before(at) {
			at, some = f.due, true
		}
	}
	return at, some
}

// Due returns the things to be tried again. Those that have neither failed nor been
// forgotten by then are due again after as long a time.
func (a *Failures[K]) Due(now time.Time) (due []K) {
	for k, f := range a.failed {
		if !now.Before(f.due) {
			f.due = now.Add(f.wait)
			a.failed[k] = f
			due = append(due, k)
		}
	}
	return due
}

// Retain forgets all things but those that keep says.
func (a *Failures[K]) Retain(retain func(K) bool) {
	for k := range a.failed {
		if !retain(k) {
			delete(a.failed, k)
		}
	}
}
