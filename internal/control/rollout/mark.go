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

	classMask   mark = 0x0f
	isOwn       mark = 0x10 // PRIMARY's, or taken over by it
	mustLeave   mark = 0x20 // has to leave
	isProtected mark = 0x40 // protected from scale-in and deployments
	failedStart mark = 0x80 // PRIMARY's, and failed to start
)

func (m mark) class() mark        { return m & classMask }
func (m mark) counts() bool       { return m.class() >= unhealthy }
func (m mark) has(flag mark) bool { return m&flag != 0 }

// ended says whether a task has STOPPED.
func (t *Task) hasStopped() bool { return t.Status == fleet.TaskStopped }

// ran says whether a task ever was RUNNING.
func (t *Task) hasRun() bool { return !t.StartedAt.IsZero() }

// failedToStart says whether a task ended by itself without ever running.
func (t *Task) failedToStart() bool {
	if !t.hasStopped() || t.hasRun() {
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
func (s *step) classifyTasks() {
	in := s.in
	s.marks = make([]mark, len(in.Tasks))
	s.owner = make([]int8, len(in.Tasks))
	s.counted = make([]int, len(in.Deployments))
	last := 0
	for i := range in.Tasks {
		t := &in.Tasks[i]
		if in.Deployments[last].ID != t.Deployment {
			last = s.findDeployment(t.Deployment)
		}
		s.owner[i] = int8(last)
		m := s.classOf(t, last)
		if m.counts() {
			if last == 0 || last > 0 && Adopts(s.primary, &in.Deployments[last]) {
				m |= isOwn
			}
			protected := in.Now.Before(t.ProtectedUntil)
			if protected {
				m |= isProtected
			}
			if !m.has(isOwn) || m.class() == unhealthy || t.Host == HostDraining && !protected {
				m |= mustLeave
			}
		}
		if last == 0 {
			m |= s.recordOutcome(t, m)
			s.scalingIn = s.scalingIn || s.isScalingIn(t)
		}
		s.marks[i] = m
		s.countTask(i, 1)
		last = max(last, 0)
	}
}

// weigh notes what one of PRIMARY's tasks says of it.
func (s *step) recordOutcome(t *Task, m mark) mark {
	if t.hasRun() {
		s.lastRan = max(s.lastRan, t.Serial)
	}
	if m.class() == healthy {
		s.lastHealthy = max(s.lastHealthy, t.Serial)
		return 0
	}
	if !t.failed() {
		return 0
	}
	s.lastFailed = max(s.lastFailed, t.Serial)
	if s.countsAsFailure(t) {
		s.failures++
	}
	if t.failedToStart() {
		return failedStart
	}
	return 0
}

// find returns the index of a deployment, or unlisted.
func (s *step) findDeployment(id string) int {
	for i := range s.in.Deployments {
		if s.in.Deployments[i].ID == id && i < 127 {
			return i
		}
	}
	return unlisted
}

func (s *step) classOf(t *Task, owner int) mark {
	switch {
	case t.Stop || t.hasStopped():
		return gone
	case t.Status != fleet.TaskRunning && t.Status.Order() > fleet.TaskRunning.Order():
		return gone // it ends by itself
	case t.Host == HostLost:
		return lost
	case t.Status != fleet.TaskRunning:
		return s.classOfPending(t)
	}
	switch t.Health {
	case types.HealthStatusHealthy:
		return healthy
	case types.HealthStatusUnhealthy:
		if until := t.StartedAt.Add(s.svc.GracePeriod); s.in.Now.Before(until) {
			s.wakeAt(until)
			return young
		}
		return unhealthy
	}
	if owner != unlisted && s.in.Deployments[owner].HealthChecks {
		return young
	}
	if at := t.StartedAt.Add(s.svc.HealthyAfter); s.in.Now.Before(at) {
		s.wakeAt(at)
		return young
	}
	return healthy
}

// classifyPending classes a task that does not run yet. A container of it may have
// become unhealthy already, which another one waits for in vain.
func (s *step) classOfPending(t *Task) mark {
	if t.Health != types.HealthStatusUnhealthy {
		return pending
	}
	if until := t.CreatedAt.Add(s.svc.GracePeriod); s.in.Now.Before(until) {
		s.wakeAt(until)
		return pending
	}
	return unhealthy
}

// count adds a task to the sums, or takes it out.
func (s *step) countTask(i, by int) {
	m := s.marks[i]
	if !m.counts() {
		return
	}
	s.live += by
	if o := s.owner[i]; o >= 0 {
		s.counted[o] += by
	}
	switch m.class() {
	case healthy:
		s.healthy += by
		s.standing += by
	case young:
		s.standing += by
	}
	switch {
	case m.has(mustLeave):
		s.leaving += by
	case m.has(isOwn):
		s.own += by
		if m.class() == healthy {
			s.ownHealthy += by
		}
	}
}

func (s *step) uncountTask(i int) {
	s.countTask(i, -1)
	s.marks[i] = gone
}
