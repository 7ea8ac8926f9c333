package rollout

import (
	"iter"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A task that has run and then ends by itself is replaced, on ECS without end: it
// has not failed to start. Ashore replaces tasks that end soon after their start
// more and more slowly, so that they do not wear their host out; ECS has no such
// pace. Each round of a deployment's launches that mostly ended early makes its
// replacements wait longer. A round that mostly lives on ends that, and so does a
// new deployment. Only the replacements wait, not other launches.
const (
	firstPause = time.Second // after a second consecutive round; the first round's tasks are replaced at once
	maxPause   = 30 * time.Second
	// After longestPauseAfter rounds the pause does not grow any more.
	longestPauseAfter = 7
	// What was launched this long after a round had ended does not replace that
	// round's tasks.
	unrelatedAfter = 2 * maxPause
)

// Pause returns how long replacements wait after a number of consecutive rounds that
// ended early.
func Pause(rounds int) time.Duration {
	if rounds <= 1 {
		return 0
	}
	return min(firstPause<<min(rounds-2, 16), maxPause)
}

// Outcome is what has become of a task that was launched.
type Outcome uint8

const (
	Undecided  Outcome = iota // not known yet, or it was stopped on request, or it failed to start
	EndedEarly                // it ended by itself within fleet.EarlyEnd of its start
	RanLong                   // it ran for longer
	Forgotten                 // its records are gone
)

// LaunchedTask is a task that was launched at some time.
type LaunchedTask struct {
	ID        string
	Outcome   Outcome
	CreatedAt time.Time
	StoppedAt time.Time
	Instance  string
}

// OutcomeOf returns what has become of a task.
func OutcomeOf(t *fleet.TaskState, now time.Time) Outcome {
	switch ran, ended := t.RunTime(); {
	case t.EndedEarly():
		return EndedEarly
	case ended && ran >= fleet.EarlyEnd:
		return RanLong
	case !ended && t.Status() == fleet.TaskRunning && now.Sub(t.Report.StartedAt) >= fleet.EarlyEnd:
		return RanLong
	}
	return Undecided
}

// Crashes are the newest consecutive rounds of a deployment's launches that mostly
// ended early. The zero value is none.
type Crashes struct {
	Rounds int     // counted as far back as it matters
	ends   []crash // tasks that ended early, and until when their replacements wait
}

type crash struct {
	task, instance string
	rank           int // number of its round, 0 for the newest
	at, until      time.Time
}

// round is a number of tasks that were launched together.
type round struct {
	last, first time.Time // launches
	ended       time.Time // when the last of them ended
	lived       int
	early       []crash
}

// CrashesOf returns the crashes of a deployment. launched yields its tasks, the
// newest first; CrashesOf stops reading when older tasks no longer matter.
func CrashesOf(launched iter.Seq[LaunchedTask], now time.Time) Crashes {
	var (
		c           Crashes
		olderRounds int // rounds whose records are gone
		open        round
		next        time.Time // first launch of the round after the open one
		old         int       // rounds whose replacements do not wait any more
		known       = true
	)
	// closeRound ends the open round. It reports whether older ones matter.
	closeRound := func() bool {
		r := open
		open = round{}
		switch {
		case r.lived == 0 && len(r.early) == 0:
			return true // it shows nothing
		case r.lived >= len(r.early):
			return false
		case !next.IsZero() && next.Sub(r.ended) > unrelatedAfter:
			return false
		}
		for _, e := range r.early {
			e.rank = c.Rounds
			c.ends = append(c.ends, e)
		}
		c.Rounds++
		next = r.first
		if now.Sub(r.ended) >= maxPause {
			old++
		}
		return old < longestPauseAfter
	}
	more := true
	for p := range launched {
		if p.Outcome == Forgotten {
			known = false
			break
		}
		// The tasks of a round were launched before any of them had ended.
		replaced := p.Outcome == EndedEarly && !p.StoppedAt.After(open.last)
		if !open.last.IsZero() && (replaced || open.last.Sub(p.CreatedAt).Abs() >= sameRoundWithin) {
			if more = closeRound(); !more {
				break
			}
		}
		if open.last.IsZero() {
			open.last = p.CreatedAt
		}
		open.first = p.CreatedAt
		switch p.Outcome {
		case RanLong:
			open.lived++
		case EndedEarly:
			open.early = append(open.early, crash{task: p.ID, instance: p.Instance, at: p.StoppedAt})
			if p.StoppedAt.After(open.ended) {
				open.ended = p.StoppedAt
			}
		}
	}
	if more {
		more = closeRound()
	}
	if more && !known && c.Rounds > 1 {
		// So many tasks have ended since that the records of older rounds are gone.
		olderRounds = longestPauseAfter
	}
	for i := range c.ends {
		e := &c.ends[i]
		e.until = e.at.Add(Pause(c.Rounds + olderRounds - e.rank))
	}
	return c
}

// Delayed returns how many replacements still wait, and when the first of them may be
// launched.
func (c *Crashes) Delayed(now time.Time) (n int, next time.Time) {
	for i := range c.ends {
		e := &c.ends[i]
		if !now.Before(e.until) {
			continue
		}
		n++
		if next.IsZero() || e.until.Before(next) {
			next = e.until
		}
	}
	return n, next
}

// Last returns the id of the newest task that ended early, or "".
func (c *Crashes) Last() string {
	if len(c.ends) == 0 {
		return ""
	}
	return c.ends[0].task
}

// updateDelays finds out how many replacements of PRIMARY's tasks wait.
func (s *step) updateDelays() {
	c := &s.primary.Crashes
	if s.state.Rollout == types.DeploymentRolloutStateFailed || c.Rounds == 0 {
		s.state.Looping = false
		return
	}
	s.delayed, s.delayedUntil = c.Delayed(s.in.Now)
}

// limitByDelays returns how many of the tasks that a REPLICA's PRIMARY wants are
// launched now.
func (s *step) limitByDelays(want int) int {
	if s.delayed == 0 || want <= 0 {
		return want
	}
	s.delayReplacement()
	return max(0, want-s.delayed)
}

// delayReplacement lets a replacement wait, and reports that once by an event.
func (s *step) delayReplacement() {
	s.wakeAt(s.delayedUntil)
	if !s.state.Looping {
		s.state.Looping = true
		s.addEvent(loopingEvent(s.svc.Name, s.delayedUntil))
	}
}
