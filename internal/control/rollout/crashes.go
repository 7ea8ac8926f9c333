package rollout

import (
	"iter"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A task that has run and ends by itself is replaced, as on ECS without an end: it
// has not failed to start. What begins and ends again at once is replaced more and
// more slowly, by a pace of ours, so that it does not wear its host out. Each of
// a deployment's rounds of launches that mostly ended early lets its replacements
// wait longer; one that mostly lives on ends that, and so does a new deployment.
// Only the replacements wait, not what else is to be launched.
const (
	firstPause = time.Second // after a second round in a row; the first one's are replaced at once
	maxPause   = 30 * time.Second
	// longestAfter rounds the pause grows no more.
	longestPauseAfter = 7
	// afresh: what was launched so long after a round had ended was not launched in
	// its place.
	unrelatedAfter = 2 * maxPause
)

// Pause is the wait of the replacements after a number of consecutive rounds that
// ended early.
func Pause(rounds int) time.Duration {
	if rounds <= 1 {
		return 0
	}
	return min(firstPause<<min(rounds-2, 16), maxPause)
}

// Fate is what has become of a task that was launched.
type Outcome uint8

const (
	Undecided  Outcome = iota // nobody can say yet, or somebody else ended it, or it failed to start
	EndedEarly                // it ended by itself within fleet.EarlyEnd of its start
	RanLong                   // it ran for longer
	Forgotten                 // nothing is known of it any more
)

// Past is a task that was launched some time.
type LaunchedTask struct {
	ID        string
	Outcome   Outcome
	CreatedAt time.Time
	StoppedAt time.Time
	Instance  string
}

// FateOf says what has become of a task.
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

// Crashes are the consecutive rounds of a deployment's launches, up to the newest,
// that mostly ended early. The zero value is none.
type Crashes struct {
	Rounds int     // as far back as it mattered
	ends   []crash // of their tasks, and when their replacements' wait is over
}

type crash struct {
	task, instance string
	rank           int // of its round, from the newest on
	at, until      time.Time
}

// round is a number of tasks that were launched together.
type round struct {
	last, first time.Time // launches
	ended       time.Time // the last one's end
	lived       int
	early       []crash
}

// CrashesOf looks at a deployment's launches, the newest first, as far back as it
// needs to.
func CrashesOf(launched iter.Seq[LaunchedTask], now time.Time) Crashes {
	var (
		c           Crashes
		olderRounds int // rounds that are forgotten
		open        round
		next        time.Time // first launch of the round after the open one
		old         int       // rounds whose replacements no longer wait
		known       = true
	)
	// closes ends the open round and says whether older ones matter.
	closeRound := func() bool {
		r := open
		open = round{}
		switch {
		case r.lived == 0 && len(r.early) == 0:
			return true // it says nothing
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
		// Those of a round were launched before any of them had ended.
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
		// So many have ended since that the elder ones are forgotten.
		olderRounds = longestPauseAfter
	}
	for i := range c.ends {
		e := &c.ends[i]
		e.until = e.at.Add(Pause(c.Rounds + olderRounds - e.rank))
	}
	return c
}

// Held counts the replacements that still wait, and says when the first of them no
// longer does.
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

// Last is the id of the newest task that ended early, or "".
func (c *Crashes) Last() string {
	if len(c.ends) == 0 {
		return ""
	}
	return c.ends[0].task
}

// pace finds out how many replacements of PRIMARY's tasks wait.
func (s *step) updateDelays() {
	c := &s.primary.Crashes
	if s.state.Rollout == types.DeploymentRolloutStateFailed || c.Rounds == 0 {
		s.state.Looping = false
		return
	}
	s.delayed, s.delayedUntil = c.Delayed(s.in.Now)
}

// paced is how many of the tasks that a REPLICA of PRIMARY's wants are launched now.
func (s *step) limitByDelays(want int) int {
	if s.delayed == 0 || want <= 0 {
		return want
	}
	s.delayReplacement()
	return max(0, want-s.delayed)
}

// holdBack lets a replacement wait, and tells people of it once.
func (s *step) delayReplacement() {
	s.wakeAt(s.delayedUntil)
	if !s.state.Looping {
		s.state.Looping = true
		s.addEvent(loopingEvent(s.svc.Name, s.delayedUntil))
	}
}
