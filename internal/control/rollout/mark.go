package rollout

import (
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// mark is how a task counts: its class, and flags.
type mark uint8

const (
	gone mark = iota // it does not count
	lost
	unhealthy // this class and the later ones count; the worst is first
	pending
	young
	healthy

	classMask   mark = 0x0f
	isOwn       mark = 0x10 // it is PRIMARY's, or PRIMARY has taken it over
	mustLeave   mark = 0x20 // it has to leave
	isProtected mark = 0x40 // it is protected from scale-in and deployments
	failedStart mark = 0x80 // it is PRIMARY's, and failed to start
)

func (m mark) class() mark        { return m & classMask }
func (m mark) counts() bool       { return m.class() >= unhealthy }
func (m mark) has(flag mark) bool { return m&flag != 0 }

// hasStopped reports whether a task is STOPPED.
func (t *Task) hasStopped() bool { return t.Status == fleet.TaskStopped }

// hasRun reports whether a task was ever RUNNING.
func (t *Task) hasRun() bool { return !t.StartedAt.IsZero() }

// failedToStart reports whether a task ended by itself and never ran.
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

// failed reports whether a task counts as a failure of its deployment.
func (t *Task) failed() bool {
	return t.failedToStart() || t.Stop && t.StopReason == ReasonUnhealthy
}

// classifyTasks gives every task its mark and adds it to the sums.
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

// recordOutcome notes what one of PRIMARY's tasks shows about PRIMARY: its serial if
// it ran, is healthy or failed. It returns the flag failedStart or nothing.
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

// findDeployment returns the index of a deployment, or unlisted.
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
		return gone // it is ending by itself
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

// classOfPending returns the class of a task that does not run yet. One of its
// containers may be unhealthy already, and another container waits for it in vain.
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

// countTask adds a task to the sums if by is 1, and takes it out if by is -1.
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
