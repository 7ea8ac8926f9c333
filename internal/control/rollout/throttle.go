package rollout

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	// firstBackoff is the wait after a first round of failed starts. Each further
	// round doubles it.
	firstBackoff = 2 * time.Second
	maxBackoff   = 27 * time.Minute
	// After impairedAfter rounds an event reports it, and further rounds launch at
	// most probeTasks tasks.
	impairedAfter = 3
	probeTasks    = 10
	// Launches that are less than this apart belong to one round.
	sameRoundWithin = time.Second
)

// Backoff returns the wait after a number of consecutive rounds of failed starts.
func Backoff(rounds int) time.Duration {
	if rounds <= 0 {
		return 0
	}
	return min(firstBackoff<<min(rounds-1, 16), maxBackoff)
}

// lastRanSerial returns the serial of a deployment's newest task that ever ran; 0 if
// none did.
func (s *step) lastRanSerial(owner int) int64 {
	var ran int64
	for i := range s.in.Tasks {
		if t := &s.in.Tasks[i]; int(s.owner[i]) == owner && t.hasRun() {
			ran = max(ran, t.Serial)
		}
	}
	return ran
}

// countRounds counts a deployment's failures to start since its last task that ran,
// and the rounds in which they were launched. ran is the serial of that task.
func (s *step) countRounds(owner int, ran int64) Throttled {
	var (
		th   Throttled
		last time.Time
		seen [12]time.Time // more rounds than these do not make the wait longer
	)
	for i, m := range s.marks {
		if int(s.owner[i]) != owner || owner == 0 && !m.has(failedStart) {
			continue
		}
		t := &s.in.Tasks[i]
		if t.Serial <= ran || !t.failedToStart() {
			continue
		}
		th.Failures++
		end := t.StoppedAt
		if end.IsZero() {
			end = t.CreatedAt
		}
		if end.After(last) {
			last = end
		}
		known := false
		for _, at := range seen[:th.Rounds] {
			if t.CreatedAt.Sub(at).Abs() < sameRoundWithin {
				known = true
				break
			}
		}
		if !known && th.Rounds < len(seen) {
			seen[th.Rounds] = t.CreatedAt
			th.Rounds++
		}
	}
	if th.Failures > 0 {
		th.NextTry = last.Add(Backoff(th.Rounds))
	}
	return th
}

// updateThrottle sets PRIMARY's NextTry and Impaired by its failures to start, and
// reports an impaired service by an event.
func (s *step) updateThrottle() {
	if s.state.Rollout == types.DeploymentRolloutStateFailed || s.throttle.Failures == 0 {
		s.state.NextTry, s.state.Impaired = time.Time{}, 0
		return
	}
	s.state.NextTry = s.throttle.NextTry
	if s.in.Now.Before(s.throttle.NextTry) {
		s.throttled = true
		s.wakeAt(s.throttle.NextTry)
		th := s.throttle
		s.out.Throttled = &th
	}
	if s.throttle.Rounds >= impairedAfter && s.throttle.Rounds > s.state.Impaired {
		s.state.Impaired = s.throttle.Rounds
		s.addEvent(impairedEvent(s.svc.Name, s.throttle.NextTry))
	}
}

// isFailing reports whether PRIMARY fails to start its tasks: it has FAILED, or
// failures count against it. An unhealthy task counts before it is stopped, because
// what follows from its stop is decided together with the stop.
func (s *step) isFailing() bool {
	switch s.state.Rollout {
	case types.DeploymentRolloutStateFailed:
		return true
	case types.DeploymentRolloutStateInProgress:
	default:
		return false
	}
	if s.failures > 0 || s.throttle.Failures > 0 {
		return true
	}
	for i, m := range s.marks {
		if m.class() == unhealthy && s.owner[i] == 0 && s.countsAsFailure(&s.in.Tasks[i]) {
			return true
		}
	}
	return false
}

// countsAsFailure reports whether a failure of one of PRIMARY's tasks counts for the
// breaker.
func (s *step) countsAsFailure(t *Task) bool {
	return s.svc.Breaker.KeepCount || t.Serial > s.state.LastGood
}

// isBlocked reports whether a launch that found no hosts is too recent to be
// repeated.
func (s *step) isBlocked(d *Deployment) bool {
	u := d.Unplaced
	if u == nil || u.Changed {
		return false
	}
	at := u.At.Add(PlacementRetry)
	if s.in.Now.Before(at) {
		s.wakeAt(at)
		return true
	}
	return false
}
