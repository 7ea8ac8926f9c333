package rollout

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The bounds of the breaker's default threshold, in tasks.
const (
	minThreshold = 3
	maxThreshold = 200
)

// Threshold returns the number of failures at which the breaker trips.
func (b *Breaker) Threshold(desired int) int {
	kind, value := b.Type, b.Value
	if kind == "" {
		kind, value = types.ThresholdTypeBoundedPercent, 50
	}
	switch kind {
	case types.ThresholdTypeCount:
		return max(value, 1)
	case types.ThresholdTypeUnboundedPercent:
		return max(percentUp(desired, value), 1)
	}
	return min(max(percentUp(desired, value), minThreshold), maxThreshold)
}

func percentUp(n, percent int) int   { return (n*percent + 99) / 100 }
func percentDown(n, percent int) int { return n * percent / 100 }

// CountFailures counts the tasks that are failures of a deployment.
func CountFailures(b *Breaker, d *Deployment, tasks []Task) int {
	n := 0
	for i := range tasks {
		if t := &tasks[i]; t.Deployment == d.ID && t.failed() && (b.KeepCount || t.Serial > d.LastGood) {
			n++
		}
	}
	return n
}

// judgePrimary decides whether PRIMARY has failed, and how far its failures to start
// delay its launches.
func (s *step) judgePrimary() {
	s.desired = s.svc.Desired
	if s.svc.Strategy == types.SchedulingStrategyDaemon {
		s.desired = len(s.in.Hosts)
	}
	s.lowest = percentUp(s.desired, s.svc.MinimumPercent)
	s.highest = percentDown(s.desired, s.svc.MaximumPercent)
	s.out.Threshold = s.svc.Breaker.Threshold(s.desired)

	s.forgiveFailures()
	s.throttle = s.countRounds(0, s.lastRan)
	if s.state.Rollout == types.DeploymentRolloutStateInProgress && s.primary.Stop != "" {
		s.failPrimary(reasonStopped, "it was stopped by StopServiceDeployment", s.primary.Stop == types.StopServiceDeploymentStopTypeRollback, reasonRollbackAsked)
	}
	s.tripBreaker()
	s.updateThrottle()
	s.updateDelays()
}

// tripBreaker fails PRIMARY if too many of its tasks have failed. It returns whether
// it did; PRIMARY's launches are taken back then.
func (s *step) tripBreaker() bool {
	if s.state.Rollout != types.DeploymentRolloutStateInProgress || !s.svc.Breaker.Enabled || s.failures < s.out.Threshold {
		return false
	}
	s.failPrimary(reasonTripped, "tasks failed to start", s.svc.Breaker.Rollback, reasonRollback)
	s.out.Launches = slices.DeleteFunc(s.out.Launches, func(l Launch) bool {
		if l.Deployment != s.primary.ID {
			return false
		}
		s.live -= l.Count
		return true
	})
	return true
}

// forgiveFailures raises LastGood when tasks become healthy: earlier failures no
// longer count.
func (s *step) forgiveFailures() {
	if s.lastHealthy <= s.state.LastGood || s.state.Rollout != types.DeploymentRolloutStateInProgress {
		return
	}
	s.state.LastGood = max(s.lastHealthy, s.lastFailed)
	if !s.svc.Breaker.KeepCount {
		s.failures = 0
	}
}

// failPrimary ends PRIMARY as FAILED. If back is set and a deployment has completed,
// it requests a rollback to that deployment's revision. A rollback is never rolled
// back.
func (s *step) failPrimary(reason, why string, back bool, text func(string) string) {
	s.state.Rollout, s.state.Reason = types.DeploymentRolloutStateFailed, reason
	s.state.SteadySince, s.state.NextTry, s.state.Impaired, s.state.Looping, s.state.Stuck = time.Time{}, time.Time{}, 0, false, false
	s.out.Throttled = nil
	s.addEvent(failedEvent(s.svc.Name, s.primary.ID, why))
	c := s.svc.Completed
	if !back || c == nil || s.primary.RollbackOf != "" {
		return
	}
	s.out.Rollback = &Rollback{Of: s.primary.ID, Revision: c.Revision, Reason: text(s.in.NextID)}
	s.addEvent(rollingBackEvent(s.svc.Name, s.in.NextID))
}
