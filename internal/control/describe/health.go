package describe

import (
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Health returns an instance's health as its agent last reported it. If the agent is
// not connected, there is INSUFFICIENT_DATA.
func Health(v store.View) *types.ContainerInstanceHealthStatus {
	out := &types.ContainerInstanceHealthStatus{OverallStatus: types.InstanceHealthCheckStateInsufficientData, Details: []types.InstanceHealthCheckResult{}}
	if v.Health == nil || v.Session == nil {
		return out
	}
	overall := types.InstanceHealthCheckStateOk
	for _, c := range v.Health.Checks {
		out.Details = append(out.Details, types.InstanceHealthCheckResult{
			Type: c.Type, Status: c.Status, LastStatusChange: aws.Time(c.ChangedAt), LastUpdated: aws.Time(c.WrittenAt),
		})
		if severity(c.Status) > severity(overall) {
			overall = c.Status
		}
	}
	if len(out.Details) > 0 {
		out.OverallStatus = overall
	}
	return out
}

// severity orders states: the overall status is the status of the worst check.
func severity(s types.InstanceHealthCheckState) int {
	switch s {
	case types.InstanceHealthCheckStateOk:
		return 0
	case types.InstanceHealthCheckStateInitializing:
		return 1
	case types.InstanceHealthCheckStateInsufficientData:
		return 2
	}
	return 3
}
