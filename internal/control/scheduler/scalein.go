package scheduler

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// setSurplusOrder decides how tasks beyond the desired count are chosen, if there may
// be some. They are chosen by zones, unless the service's strategies pack and ignore
// zones. A service that packs stops tasks on the hosts with the most room first
// (ECS's developer guide, task placement strategies).
func (v *view) setSurplusOrder() {
	s := v.service
	v.zoned = v.in.Service.Rebalance
	n := v.snap.ServiceTasks(s.Cluster, s.Name)
	if s.Scheduling == types.SchedulingStrategyDaemon || n.Pending+n.Running <= s.DesiredCount {
		return
	}
	zoned := false
	for i := range s.Strategies {
		field := aws.ToString(s.Strategies[i].Field)
		switch s.Strategies[i].Type {
		case types.PlacementStrategyTypeSpread:
			zoned = zoned || strings.HasSuffix(field, ":"+zoneAttribute)
		case types.PlacementStrategyTypeBinpack:
			if v.packs == "" {
				v.packs = strings.ToUpper(field)
			}
		}
	}
	v.in.Service.Packs = v.packs != ""
	v.zoned = v.zoned || zoned || !v.in.Service.Packs
}
