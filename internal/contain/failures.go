package contain

import (
	"time"

	"github.com/ashore/ashore/internal/pace"
)

// Failures records which keys have failed. A key has to wait after each failure, longer
// each time. Failures is for one goroutine.
type Failures[K comparable] struct {
	Min, Max time.Duration // defaults: 1 s and 1 min

	failed map[K]failure
}

type failure struct {
	times int
	wait  time.Duration
	until time.Time
	due   time.Time // when Due returns it
}

// Add records a failure of k. It returns how many failures k has had in a row, and how
// long k has to wait.
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

// IsWaiting reports whether k has to wait at time now.
func (a *Failures[K]) IsWaiting(k K, now time.Time) bool { return now.Before(a.failed[k].until) }

// Forget removes k, after a success or when k no longer exists.
func (a *Failures[K]) Forget(k K) { delete(a.failed, k) }

// Len returns the number of keys that have failed and not been removed since.
func (a *Failures[K]) Len() int { return len(a.failed) }

// Next returns when Due will have a key. some is false if there is none.
func (a *Failures[K]) Next() (at time.Time, some bool) {
	for _, f := range a.failed {
		if !some || f.due.Before(at) {
			at, some = f.due, true
		}
	}
	return at, some
}

// Due returns the keys to retry. A key that is then neither added nor removed is due again
// after the same wait.
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

// Retain removes all keys for which retain returns false.
func (a *Failures[K]) Retain(retain func(K) bool) {
	for k := range a.failed {
		if !retain(k) {
			delete(a.failed, k)
		}
	}
}
