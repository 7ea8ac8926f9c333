package describe

import (
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Health is an instance's health: what its agent has last said, as far as its
// agent is here to say otherwise.
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

// severity orders states: the whole is as its worst check.
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
