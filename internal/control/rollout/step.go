package rollout

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// PlacementRetry is the time after which a launch that found no hosts is tried again,
// even if nothing is known to have changed.
const PlacementRetry = 15 * time.Second

// Step returns what a service needs next.
func Step(in *Input) Output {
	s := step{in: in, svc: &in.Service}
	switch {
	case s.svc.Status == Inactive:
		return s.out
	case s.svc.Status == Draining:
		s.stopAll()
		return s.out
	case len(in.Deployments) == 0:
		return s.out
	}
	s.primary = &in.Deployments[0]
	s.state = s.primary.DeploymentState
	s.classifyTasks()
	s.stopLostTasks()
	s.judgePrimary()
	if s.out.Rollback == nil {
		daemon := s.svc.Strategy == types.SchedulingStrategyDaemon
		if daemon {
			s.stepDaemon()
		} else {
			s.stepReplica()
		}
		// what was just found unhealthy may be one too many
		if s.tripBreaker() && s.out.Rollback == nil && !daemon {
			s.stepReplica()
		}
		s.updateSteadyState()
		s.rebalance()
		s.reportStuck()
	}
	s.addDeploymentChanges()
	return s.out
}

// step is the work of one call of Step.
type step struct {
	in               *Input
	svc              *Service
	out              Output
	primary          *Deployment
	state            DeploymentState // PRIMARY's new state
	unplacedResolved bool            // PRIMARY's Unplaced no longer applies

	marks   []mark // by task
	owner   []int8 // by task: index of its deployment, or unlisted
	counted []int  // by deployment: tasks that count

	desired, lowest, highest                          int
	live, leaving, healthy, standing, own, ownHealthy int

	lastRan, lastHealthy, lastFailed int64 // serials of PRIMARY's newest tasks that ran, are healthy, failed
	failures                         int   // failures that count for the breaker
	throttle                         Throttled
	throttled                        bool // now
	delayed                          int  // how many replacements of PRIMARY's tasks wait
	delayedUntil                     time.Time
	stalled                          bool // DAEMON: some hosts lack the task that they should have

	scalingIn bool // some of PRIMARY's tasks beyond the desired count are ending

	fallbackCounted bool // standing includes the fallback's pending tasks

	stopped []string // ids of tasks, for the events
}

const unlisted = -1

// Adopts reports whether PRIMARY has taken over the tasks of an older deployment. A
// rollback takes over the tasks of the revision that it goes back to. They count as
// its own tasks, and the older deployment is not shown.
func Adopts(primary, older *Deployment) bool {
	return primary.RollbackOf != "" && older.Revision == primary.Revision && older.ID != primary.RollbackOf
}

// wakeAt requests another call at a time, if that is in the future and no earlier
// call is requested.
func (s *step) wakeAt(at time.Time) {
	if at.After(s.in.Now) && (s.out.Wake.IsZero() || at.Before(s.out.Wake)) {
		s.out.Wake = at
	}
}

func (s *step) addEvent(e Event) { s.out.Events = append(s.out.Events, e) }

// stopTask stops a task and takes it out of the sums.
func (s *step) stopTask(i int, reason string) {
	t := &s.in.Tasks[i]
	s.out.Stops = append(s.out.Stops, Stop{Task: t.ID, Code: types.TaskStopCodeServiceSchedulerInitiated, Reason: reason})
	s.stopped = append(s.stopped, t.ID)
	if s.marks != nil {
		s.uncountTask(i)
	}
}

// stopAll stops all tasks that a deleted service still has. If none is left, it marks
// the service as inactive.
func (s *step) stopAll() {
	left := false
	primary := ""
	if len(s.in.Deployments) > 0 {
		primary = s.in.Deployments[0].ID
	}
	for i := range s.in.Tasks {
		t := &s.in.Tasks[i]
		if t.hasStopped() {
			continue
		}
		// A lost host may never report that its task has ended. What the task has
		// reserved there stays reserved; the service need not wait.
		left = left || t.Host != HostLost
		if !t.Stop {
			s.stopTask(i, reasonScaling(primary))
		}
	}
	s.addStoppedEvents()
	s.out.Inactive = !left
}

// addStoppedEvents adds the events of the tasks that were stopped since the last
// call.
func (s *step) addStoppedEvents() {
	s.out.Events = append(s.out.Events, StoppedEvents(s.svc.Name, s.stopped)...)
	s.stopped = s.stopped[:0]
}

// stopLostTasks stops the tasks of lost hosts. They do not count any more.
func (s *step) stopLostTasks() {
	for i, m := range s.marks {
		if m.class() == lost {
			s.stopTask(i, reasonLost(s.svc.Name, s.in.Tasks[i].Instance))
		}
	}
}

// updateSteadyState finds out whether the service is steady. If it is, PRIMARY
// becomes COMPLETED, and SteadySince is set.
func (s *step) updateSteadyState() {
	is := s.countLaunches() == 0 && s.state.Rollout != types.DeploymentRolloutStateFailed &&
		s.leaving == 0 && (s.own == s.desired || s.own > s.desired && s.canRebalance()) && s.ownHealthy >= s.desired && !s.stalled
	if !is {
		s.state.SteadySince = time.Time{}
		return
	}
	if s.state.Rollout == types.DeploymentRolloutStateInProgress {
		s.state.Rollout = types.DeploymentRolloutStateCompleted
		s.state.Reason = reasonCompleted(s.primary.ID)
		s.addEvent(completedEvent(s.svc.Name, s.primary.ID))
	}
	if s.scalingIn {
		s.state.SteadySince = time.Time{} // it is steady once those tasks have ended
		return
	}
	if s.state.SteadySince.IsZero() {
		s.state.SteadySince = s.in.Now
		s.addEvent(steadyEvent(s.svc.Name))
	}
}

// countLaunches counts the tasks to be launched, without those for rebalancing: these
// do not make a service unsteady.
func (s *step) countLaunches() int {
	n := 0
	for i := range s.out.Launches {
		if s.out.Launches[i].Zone == "" {
			n += s.out.Launches[i].Count
		}
	}
	return n
}

// addDeploymentChanges adds the changed states to the output. It retires older
// deployments that have nothing left to do.
func (s *step) addDeploymentChanges() {
	if s.state != s.primary.DeploymentState || s.unplacedResolved {
		s.out.Deployments = append(s.out.Deployments, DeploymentChange{ID: s.primary.ID, DeploymentState: s.state, UnplacedResolved: s.unplacedResolved})
	}
	fallback := s.findFallback()
	for i := 1; i < len(s.in.Deployments); i++ {
		d := &s.in.Deployments[i]
		waits := i == fallback && s.lowest > 0 && s.state.Rollout != types.DeploymentRolloutStateCompleted
		if d.Retired || s.counted[i] > 0 || waits || s.out.Rollback != nil {
			continue
		}
		next := d.DeploymentState
		next.Retired = true
		s.out.Deployments = append(s.out.Deployments, DeploymentChange{ID: d.ID, DeploymentState: next})
	}
	s.out.Failures = s.failures
}

// findFallback returns the index of the deployment that keeps the service at its
// minimum while PRIMARY fails, or unlisted.
func (s *step) findFallback() int {
	for i := 1; i < len(s.in.Deployments); i++ {
		d := &s.in.Deployments[i]
		if d.Rollout == types.DeploymentRolloutStateCompleted && !Adopts(s.primary, d) {
			return i
		}
	}
	return unlisted
}
