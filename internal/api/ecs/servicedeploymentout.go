package ecs

import (
	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// serviceDeployment is a deployment that a call requested, with its rollback if there
// is one.
type serviceDeployment struct {
	store.Deployment
	rollback *store.Deployment
}

// requestedDeployments returns a service's deployments that calls requested, the
// newest first.
func requestedDeployments(snap *store.Snapshot, svc *fleet.Service) []serviceDeployment {
	back := map[string]*store.Deployment{}
	var out []serviceDeployment
	for _, d := range snap.Deployments(svc.Cluster, svc.Name) {
		switch {
		case d.ServiceID != svc.ID:
		case d.RollbackOf != "":
			back[d.RollbackOf] = &d
		default:
			out = append(out, serviceDeployment{d, back[d.ID]})
		}
	}
	return out
}

// status returns how far a service deployment has come.
//
//	PENDING ─► IN_PROGRESS ─┬─► SUCCESSFUL
//	                        ├─► STOPPED            it failed, or a newer one came, and there was no rollback
//	                        └─► ROLLBACK_REQUESTED ─► ROLLBACK_IN_PROGRESS ─► ROLLBACK_SUCCESSFUL or _FAILED
func (d *serviceDeployment) status(svc *fleet.Service) types.ServiceDeploymentStatus {
	if d.rollback != nil {
		switch rollout, _ := rolloutState(*d.rollback); {
		case rollout == types.DeploymentRolloutStateCompleted:
			return types.ServiceDeploymentStatusRollbackSuccessful
		case rollout == types.DeploymentRolloutStateFailed, d.rollback.ID != svc.Deployment:
			return types.ServiceDeploymentStatusRollbackFailed
		}
		return types.ServiceDeploymentStatusRollbackInProgress
	}
	switch rollout, _ := rolloutState(d.Deployment); {
	case rollout == types.DeploymentRolloutStateCompleted:
		return types.ServiceDeploymentStatusSuccessful
	case rollout == types.DeploymentRolloutStateFailed, d.ID != svc.Deployment, svc.Status != fleet.ServiceActive:
		return types.ServiceDeploymentStatusStopped
	case d.Stop != nil:
		return types.ServiceDeploymentStatusRollbackRequested
	case d.State == nil:
		return types.ServiceDeploymentStatusPending
	}
	return types.ServiceDeploymentStatusInProgress
}

// reason returns why the deployment has its status, or "".
func (d *serviceDeployment) reason(svc *fleet.Service) string {
	if d.rollback != nil {
		return d.rollback.Reason
	}
	rollout, reason := rolloutState(d.Deployment)
	switch {
	case rollout == types.DeploymentRolloutStateFailed:
		return aws.ToString(reason)
	case rollout == types.DeploymentRolloutStateCompleted:
		return ""
	case svc.Status != fleet.ServiceActive:
		return "The service was deleted."
	case d.ID != svc.Deployment:
		return "A newer deployment has taken its place."
	}
	return ""
}

func (s *Service) serviceDeploymentOut(snap *store.Snapshot, svc *fleet.Service, d serviceDeployment) (types.ServiceDeployment, error) {
	desired, err := s.desiredCount(snap, svc)
	if err != nil {
		return types.ServiceDeployment{}, err
	}
	out := types.ServiceDeployment{
		ServiceDeploymentArn: aws.String(s.site.ServiceDeploymentARN(svc.Cluster, svc.Name, d.ID)), ServiceArn: aws.String(s.site.ServiceARN(svc.Cluster, svc.Name)),
		ClusterArn: aws.String(s.site.ClusterARN(svc.Cluster)), CreatedAt: aws.Time(d.CreatedAt), UpdatedAt: aws.Time(d.CreatedAt),
		Status: d.status(svc), StatusReason: shape.TextOrNil(d.reason(svc)), DeploymentConfiguration: d.Configuration,
		DeploymentCircuitBreaker: breakerOut(snap, svc, d.Deployment, desired), SourceServiceRevisions: []types.ServiceRevisionSummary{},
		TargetServiceRevision: s.revisionSummary(snap, svc, d.Revision, desired),
	}
	for _, id := range d.Sources {
		out.SourceServiceRevisions = append(out.SourceServiceRevisions, *s.revisionSummary(snap, svc, id, desired))
	}
	if st := d.State; st != nil {
		if !st.UpdatedAt.IsZero() {
			out.UpdatedAt = aws.Time(st.UpdatedAt)
		}
		if !st.StartedAt.IsZero() {
			out.StartedAt = aws.Time(st.StartedAt)
		}
		if !st.FinishedAt.IsZero() {
			out.FinishedAt = aws.Time(st.FinishedAt)
		}
		if !st.StoppedAt.IsZero() {
			out.StoppedAt = aws.Time(st.StoppedAt)
		}
	}
	if r := d.rollback; r != nil {
		out.Rollback = &types.Rollback{
			Reason: shape.TextOrNil(r.Reason), ServiceRevisionArn: aws.String(s.site.ServiceRevisionARN(svc.Cluster, svc.Name, r.Revision)), StartedAt: aws.Time(r.CreatedAt),
		}
		if r.State != nil && !r.State.FinishedAt.IsZero() {
			out.FinishedAt, out.UpdatedAt = aws.Time(r.State.FinishedAt), aws.Time(r.State.FinishedAt)
		}
	}
	return out, nil
}

// breakerOut describes a deployment's circuit breaker.
func breakerOut(snap *store.Snapshot, svc *fleet.Service, d store.Deployment, desired int) *types.ServiceDeploymentCircuitBreaker {
	var b types.DeploymentCircuitBreaker
	if d.Configuration != nil && d.Configuration.DeploymentCircuitBreaker != nil {
		b = *d.Configuration.DeploymentCircuitBreaker
	}
	rule := rollout.Breaker{Enabled: b.Enable}
	if t := b.ThresholdConfiguration; t != nil {
		rule.Type, rule.Value = t.Type, int(t.Value)
	}
	out := &types.ServiceDeploymentCircuitBreaker{
		Status: types.ServiceDeploymentRollbackMonitorsStatusMonitoring, FailureCount: int32(countFailures(snap, d)), Threshold: int32(rule.Threshold(desired)),
	}
	if d.State != nil && d.State.Tripped > 0 {
		out.FailureCount = int32(d.State.Tripped)
	}
	switch state, _ := rolloutState(d); {
	case !b.Enable:
		out.Status = types.ServiceDeploymentRollbackMonitorsStatusDisabled
	case state == types.DeploymentRolloutStateFailed && d.Stop == nil:
		out.Status = types.ServiceDeploymentRollbackMonitorsStatusTriggered
	case state != types.DeploymentRolloutStateInProgress, d.ID != svc.Deployment:
		out.Status = types.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete
	}
	return out
}

// revisionSummary counts the tasks of a revision in all deployments.
func (s *Service) revisionSummary(snap *store.Snapshot, svc *fleet.Service, revision string, desired int) *types.ServiceRevisionSummary {
	out := &types.ServiceRevisionSummary{Arn: aws.String(s.site.ServiceRevisionARN(svc.Cluster, svc.Name, revision))}
	primary := false
	for _, d := range snap.Deployments(svc.Cluster, svc.Name) {
		if d.Revision != revision {
			continue
		}
		n := snap.DeploymentTasks(svc.Cluster, d.ID)
		out.PendingTaskCount += int32(n.Pending)
		out.RunningTaskCount += int32(n.Running)
		primary = primary || d.ID == svc.Deployment
	}
	if out.RequestedTaskCount = out.PendingTaskCount + out.RunningTaskCount; primary {
		out.RequestedTaskCount = int32(desired)
	}
	return out
}
