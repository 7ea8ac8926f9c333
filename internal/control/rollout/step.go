package rollout

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// PlacementRetry is after how long a launch that found no hosts is tried again
// although nothing is known to have changed.
const PlacementRetry = 15 * time.Second

// Step says what a service needs next.
func Step(in *Input) Output {
	s := step{in: in, svc: &in.Service}
	switch {
	case s.svc.Status == Inactive:
		return s.out
	case s.svc.Status == Draining:
		s.end()
		return s.out
	case len(in.Deployments) == 0:
		return s.out
	}
	s.primary = &in.Deployments[0]
	s.state = s.primary.DeploymentState
	s.tally()
	s.stopLost()
	s.judge()
	if s.out.Rollback == nil {
		daemon := s.svc.Strategy == types.SchedulingStrategyDaemon
		if daemon {
			s.daemon()
		} else {
			s.replica()
		}
		// what was just found unhealthy may be one too many
		if s.trip() && s.out.Rollback == nil && !daemon {
			s.replica()
		}
		s.settle()
		s.rebalance()
		s.tellStuck()
	}
	s.finish()
	return s.out
}

// step is one call's work.
type step struct {
	in      *Input
	svc     *Service
	out     Output
	primary *Deployment
	state   DeploymentState // PRIMARY's as it becomes
	placed  bool            // PRIMARY's Unplaced is settled

	marks []mark // of in.Tasks
	owner []int8 // of in.Tasks: index of its deployment, or unlisted
	kept  []int  // by deployment: tasks that count

	desired, lowest, highest                          int
	live, leaving, healthy, standing, own, ownHealthy int

	ran, good, bad int64 // PRIMARY's last that ran, is healthy, failed: serials
	failures       int   // that count for the breaker
	throttle       Throttled
	throttled      bool // now
	held           int  // replacements of PRIMARY's that wait
	heldUntil      time.Time
	stalled        bool // DAEMON: hosts are without what they should have

	scaling bool // PRIMARY's tasks end that were beyond the desired count

	leans bool // the keeper's pending tasks are in standing

	stopped []string // ids of tasks, for the events
}

const unlisted = -1

// Adopts says whether PRIMARY has taken over the tasks of an older deployment: a
// rollback does from those of the revision it goes back to. They count as its own
// tasks, and the older deployment isn't shown.
func Adopts(primary, older *Deployment) bool {
	return primary.RollbackOf != "" && older.Revision == primary.Revision && older.ID != primary.RollbackOf
}

// wake asks to be called again at a time.
func (s *step) wake(at time.Time) {
	if at.After(s.in.Now) && (s.out.Wake.IsZero() || at.Before(s.out.Wake)) {
		s.out.Wake = at
	}
}

func (s *step) event(e Event) { s.out.Events = append(s.out.Events, e) }

// stop ends a task; what it counted for goes with it.
func (s *step) stop(i int, reason string) {
	t := &s.in.Tasks[i]
	s.out.Stops = append(s.out.Stops, Stop{Task: t.ID, Code: types.TaskStopCodeServiceSchedulerInitiated, Reason: reason})
	s.stopped = append(s.stopped, t.ID)
	if s.marks != nil {
		s.discount(i)
	}
}

// end stops what a deleted service has left.
func (s *step) end() {
	left := false
	primary := ""
	if len(s.in.Deployments) > 0 {
		primary = s.in.Deployments[0].ID
	}
	for i := range s.in.Tasks {
		t := &s.in.Tasks[i]
		if t.ended() {
			continue
		}
		// A lost host may never say that its task has ended; what it holds there
		// stays reserved, the service need not wait.
		left = left || t.Host != HostLost
		if !t.Stop {
			s.stop(i, reasonScaling(primary))
		}
	}
	s.tell()
	s.out.Inactive = !left
}

// tell makes the events of what was stopped.
func (s *step) tell() {
	s.out.Events = append(s.out.Events, Stopped(s.svc.Name, s.stopped)...)
	s.stopped = s.stopped[:0]
}

// stopLost stops the tasks of lost hosts; they have stopped counting.
func (s *step) stopLost() {
	for i, m := range s.marks {
		if m.class() == lost {
			s.stop(i, reasonLost(s.svc.Name, s.in.Tasks[i].Instance))
		}
	}
}

// settle says whether the service is steady, and what that means for PRIMARY.
func (s *step) settle() {
	is := s.launches() == 0 && s.state.Rollout != types.DeploymentRolloutStateFailed &&
		s.leaving == 0 && (s.own == s.desired || s.own > s.desired && s.rebalances()) && s.ownHealthy >= s.desired && !s.stalled
	if !is {
		s.state.SteadySince = time.Time{}
		return
	}
	if s.state.Rollout == types.DeploymentRolloutStateInProgress {
		s.state.Rollout = types.DeploymentRolloutStateCompleted
		s.state.Reason = reasonCompleted(s.primary.ID)
		s.event(completed(s.svc.Name, s.primary.ID))
	}
	if s.scaling {
		s.state.SteadySince = time.Time{} // it reaches its steady state once they have ended
		return
	}
	if s.state.SteadySince.IsZero() {
		s.state.SteadySince = s.in.Now
		s.event(steady(s.svc.Name))
	}
}

// launches counts what is launched, but for rebalancing, which disturbs nothing.
func (s *step) launches() int {
	n := 0
	for i := range s.out.Launches {
		if s.out.Launches[i].Zone == "" {
			n += s.out.Launches[i].Count
		}
	}
	return n
}

// finish hands out the changed states.
func (s *step) finish() {
	if s.state != s.primary.DeploymentState || s.placed {
		s.out.Deployments = append(s.out.Deployments, DeploymentChange{ID: s.primary.ID, DeploymentState: s.state, Placed: s.placed})
	}
	keeper := s.keeper()
	for i := 1; i < len(s.in.Deployments); i++ {
		d := &s.in.Deployments[i]
		waits := i == keeper && s.lowest > 0 && s.state.Rollout != types.DeploymentRolloutStateCompleted
		if d.Retired || s.kept[i] > 0 || waits || s.out.Rollback != nil {
			continue
		}
		next := d.DeploymentState
		next.Retired = true
		s.out.Deployments = append(s.out.Deployments, DeploymentChange{ID: d.ID, DeploymentState: next})
	}
	s.out.Failures = s.failures
}

// keeper is the index of the deployment that keeps the service at its minimum
// while PRIMARY fails, or unlisted.
func (s *step) keeper() int {
	for i := 1; i < len(s.in.Deployments); i++ {
		d := &s.in.Deployments[i]
		if d.Rollout == types.DeploymentRolloutStateCompleted && !Adopts(s.primary, d) {
			return i
		}
	}
	return unlisted
}
