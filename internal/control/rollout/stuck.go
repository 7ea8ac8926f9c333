package rollout

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ConfiguredStuck reports whether minimum and maximum, in percent of a desired count,
// let no task be replaced: no task may stop, and none may start beside the others.
// Only an unhealthy task makes room then.
func ConfiguredStuck(desired, minimumPercent, maximumPercent int) bool {
	return desired > 0 && percentUp(desired, minimumPercent) >= desired && percentDown(desired, maximumPercent) <= desired
}

// Unstick returns the highest minimum and the lowest maximum, in percent. Each of the
// two alone lets one of the desired tasks be replaced.
func Unstick(desired int) (minimumPercent, maximumPercent int) {
	return 100 * (desired - 1) / desired, (100*(desired+1) + desired - 1) / desired
}

// reportStuck adds one event if tasks have to leave but minimum and maximum do not
// let them. It waits until nothing else is under way.
func (s *step) reportStuck() {
	own := s.own
	for i := range s.out.Launches {
		if s.out.Launches[i].Deployment == s.primary.ID {
			own += s.out.Launches[i].Count
		}
	}
	if s.state.Rollout == types.DeploymentRolloutStateFailed || s.leaving == 0 || own >= s.desired ||
		!ConfiguredStuck(s.desired, s.svc.MinimumPercent, s.svc.MaximumPercent) {
		s.state.Stuck = false
		return
	}
	starting := func(m mark) bool { return m.class() == pending }
	if s.state.Stuck || s.throttled || s.live < s.desired || s.countLaunches() > 0 || slices.ContainsFunc(s.marks, starting) {
		return
	}
	s.state.Stuck = true
	s.addEvent(stuckEvent(s.svc.Name))
}
