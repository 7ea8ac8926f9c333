package rollout

import (
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// mark is what a task counts as: its class, and flags.
type mark uint8

const (
	gone mark = iota // doesn't count
	lost
	unhealthy // the classes from here on count; the worst is first
	pending
	young
	healthy

	classes mark = 0x0f
	isOwn   mark = 0x10 // PRIMARY's, or taken over by it
	leaves  mark = 0x20 // has to leave
	fixed   mark = 0x40 // protected from scale-in and deployments
	unrun   mark = 0x80 // PRIMARY's, and failed to start
)

func (m mark) class() mark       { return m & classes }
func (m mark) counts() bool      { return m.class() >= unhealthy }
func (m mark) is(flag mark) bool { return m&flag != 0 }

// ended says whether a task has STOPPED.
func (t *Task) ended() bool { return t.Status == fleet.TaskStopped }

// ran says whether a task ever was RUNNING.
func (t *Task) ran() bool { return !t.StartedAt.IsZero() }

// failedToStart says whether a task ended by itself without ever running.
func (t *Task) failedToStart() bool {
	if !t.ended() || t.ran() {
		return false
	}
	switch t.StopCode {
	case types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited:
		return true
	}
	return false
}

// failed says whether a task counts as a failure of its deployment.
func (t *Task) failed() bool {
	return t.failedToStart() || t.Stop && t.StopReason == ReasonUnhealthy
}

// tally classes all tasks.
func (s *step) tally() {
	in := s.in
	s.marks = make([]mark, len(in.Tasks))
	s.owner = make([]int8, len(in.Tasks))
	s.kept = make([]int, len(in.Deployments))
	last := 0
	for i := range in.Tasks {
		t := &in.Tasks[i]
		if in.Deployments[last].ID != t.Deployment {
			last = s.find(t.Deployment)
		}
		s.owner[i] = int8(last)
		m := s.classify(t, last)
		if m.counts() {
			if last == 0 || last > 0 && Adopts(s.primary, &in.Deployments[last]) {
				m |= isOwn
			}
			protected := in.Now.Before(t.ProtectedUntil)
			if protected {
				m |= fixed
			}
			if !m.is(isOwn) || m.class() == unhealthy || t.Host == HostDraining && !protected {
				m |= leaves
			}
		}
		if last == 0 {
			m |= s.weigh(t, m)
			s.scaling = s.scaling || s.scaledIn(t)
		}
		s.marks[i] = m
		s.count(i, 1)
		last = max(last, 0)
	}
}

// weigh notes what one of PRIMARY's tasks says of it.
func (s *step) weigh(t *Task, m mark) mark {
	if t.ran() {
		s.ran = max(s.ran, t.Serial)
	}
	if m.class() == healthy {
		s.good = max(s.good, t.Serial)
		return 0
	}
	if !t.failed() {
		return 0
	}
	s.bad = max(s.bad, t.Serial)
	if s.blames(t) {
		s.failures++
	}
	if t.failedToStart() {
		return unrun
	}
	return 0
}

// find returns the index of a deployment, or unlisted.
func (s *step) find(id string) int {
	for i := range s.in.Deployments {
		if s.in.Deployments[i].ID == id && i < 127 {
			return i
		}
	}
	return unlisted
}

func (s *step) classify(t *Task, owner int) mark {
	switch {
	case t.Stop || t.ended():
		return gone
	case t.Status != fleet.TaskRunning && t.Status.Order() > fleet.TaskRunning.Order():
		return gone // it ends by itself
	case t.Host == HostLost:
		return lost
	case t.Status != fleet.TaskRunning:
		return s.classifyPending(t)
	}
	switch t.Health {
	case types.HealthStatusHealthy:
		return healthy
	case types.HealthStatusUnhealthy:
		if until := t.StartedAt.Add(s.svc.GracePeriod); s.in.Now.Before(until) {
			s.wake(until)
			return young
		}
		return unhealthy
	}
	if owner != unlisted && s.in.Deployments[owner].HealthChecks {
		return young
	}
	if at := t.StartedAt.Add(s.svc.HealthyAfter); s.in.Now.Before(at) {
		s.wake(at)
		return young
	}
	return healthy
}

// classifyPending classes a task that does not run yet. A container of it may have
// become unhealthy already, which another one waits for in vain.
func (s *step) classifyPending(t *Task) mark {
	if t.Health != types.HealthStatusUnhealthy {
		return pending
	}
	if until := t.CreatedAt.Add(s.svc.GracePeriod); s.in.Now.Before(until) {
		s.wake(until)
		return pending
	}
	return unhealthy
}

// count adds a task to the sums, or takes it out.
func (s *step) count(i, by int) {
	m := s.marks[i]
	if !m.counts() {
		return
	}
	s.live += by
	if o := s.owner[i]; o >= 0 {
		s.kept[o] += by
	}
	switch m.class() {
	case healthy:
		s.healthy += by
		s.standing += by
	case young:
		s.standing += by
	}
	switch {
	case m.is(leaves):
		s.leaving += by
	case m.is(isOwn):
		s.own += by
		if m.class() == healthy {
			s.ownHealthy += by
		}
	}
}

func (s *step) discount(i int) {
	s.count(i, -1)
	s.marks[i] = gone
}
