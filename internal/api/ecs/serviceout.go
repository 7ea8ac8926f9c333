package ecs

import (
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxEvents is how many of a service's events are shown.
const maxEvents = 100

// primaryRevision returns the revision of a service's PRIMARY deployment, or nil.
func primaryRevision(snap *store.Snapshot, svc *fleet.Service) *fleet.ServiceRevision {
	d := snap.Deployment(svc.Cluster, svc.Name, svc.Deployment)
	if d.Deployment == nil {
		return nil
	}
	return snap.ServiceRevision(svc.Cluster, svc.Name, d.Revision)
}

func (s *Service) serviceOut(snap *store.Snapshot, svc *fleet.Service, tags bool) (types.Service, error) {
	n := snap.ServiceTasks(svc.Cluster, svc.Name)
	desired, err := s.desiredCount(snap, svc)
	if err != nil {
		return types.Service{}, err
	}
	out := types.Service{
		ServiceArn: aws.String(s.site.ServiceARN(svc.Cluster, svc.Name)), ServiceName: aws.String(svc.Name),
		ClusterArn: aws.String(s.site.ClusterARN(svc.Cluster)), Status: aws.String(string(svc.Status)), CreatedAt: aws.Time(svc.CreatedAt),
		SchedulingStrategy: svc.Scheduling, DesiredCount: int32(desired), PendingCount: int32(n.Pending), RunningCount: int32(n.Running),
		DeploymentConfiguration: svc.Configuration, DeploymentController: &types.DeploymentController{Type: types.DeploymentControllerTypeEcs},
		HealthCheckGracePeriodSeconds: svc.GracePeriod, PlacementConstraints: shape.NotNil(svc.Constraints), PlacementStrategy: shape.NotNil(svc.Strategies),
		PropagateTags: svc.PropagateTags, EnableECSManagedTags: svc.ManagedTags, AvailabilityZoneRebalancing: svc.Rebalancing,
		ResourceManagementType: types.ResourceManagementTypeCustomer,
		LoadBalancers:          []types.LoadBalancer{}, ServiceRegistries: []types.ServiceRegistry{}, TaskSets: nil,
		Events: serviceEvents(snap, svc), Deployments: []types.Deployment{},
	}
	if svc.CreatedBy != "" {
		out.CreatedBy = aws.String(svc.CreatedBy)
	}
	if tags {
		out.Tags = shape.NotNil(svc.Tags)
	}
	if r := primaryRevision(snap, svc); r != nil {
		out.TaskDefinition = aws.String(s.site.TaskDefinitionARN(r.Family, r.Revision))
		out.LaunchType, out.CapacityProviderStrategy = r.LaunchType, r.CapacityProviders
		out.PlatformVersion, out.PlatformFamily = shape.TextOrNil(r.PlatformVersion), shape.TextOrNil(r.PlatformFamily)
		out.NetworkConfiguration, out.EnableExecuteCommand = r.Network, r.EnableExecuteCommand
	}
	if svc.Status == fleet.ServiceInactive {
		return out, nil
	}
	shown := shownDeployments(snap, svc)
	for i := range shown {
		d := &shown[i]
		out.Deployments = append(out.Deployments, s.deploymentOut(snap, svc, d, out.DesiredCount))
		arn := s.site.ServiceRevisionARN(svc.Cluster, svc.Name, d.Revision)
		if slices.ContainsFunc(out.CurrentServiceRevisions, func(r types.ServiceCurrentRevisionSummary) bool { return *r.Arn == arn }) {
			continue
		}
		out.CurrentServiceRevisions = append(out.CurrentServiceRevisions, types.ServiceCurrentRevisionSummary{
			Arn: &arn, RequestedTaskCount: d.desiredTasks(out.DesiredCount), PendingTaskCount: int32(d.tasks.Pending), RunningTaskCount: int32(d.tasks.Running),
		})
	}
	if d := currentDeployment(snap, svc); d != "" {
		out.CurrentServiceDeployment = aws.String(s.site.ServiceDeploymentARN(svc.Cluster, svc.Name, d))
	}
	return out, nil
}

// desiredCount returns how many tasks a service should have. A DAEMON should have one
// on each of its hosts. A host that is out of contact counts only while it has a
// task: otherwise no task could start there, and the service would never be stable.
func (s *Service) desiredCount(snap *store.Snapshot, svc *fleet.Service) (int, error) {
	if svc.Scheduling != types.SchedulingStrategyDaemon || svc.Status != fleet.ServiceActive {
		return svc.DesiredCount, nil
	}
	r := primaryRevision(snap, svc)
	if r == nil {
		return 0, fmt.Errorf("deployment %s of the daemon %s in cluster %s has no revision", svc.Deployment, svc.Name, svc.Cluster)
	}
	hosts, err := s.placer.Eligible(snap, svc, r)
	if err != nil {
		return 0, fmt.Errorf("the hosts of the daemon %s in cluster %s: %w", svc.Name, svc.Cluster, err)
	}
	n := 0
	for _, id := range hosts {
		if snap.Session(svc.Cluster, id) != nil || hasServiceTask(snap, svc, id) {
			n++
		}
	}
	return n, nil
}

// hasServiceTask reports whether a host has a task of a service that is to run.
func hasServiceTask(snap *store.Snapshot, svc *fleet.Service, host string) bool {
	for t := range snap.TasksOn(svc.Cluster, host) {
		if t.Desired() == fleet.TaskRunning && t.Service() == svc.Name {
			return true
		}
	}
	return false
}

// serviceEvents returns a service's last events, the newest first. Events of an
// earlier service of the same name are left out.
func serviceEvents(snap *store.Snapshot, svc *fleet.Service) []types.ServiceEvent {
	out := []types.ServiceEvent{}
	for e := range snap.ServiceEvents(svc.Cluster, svc.Name) {
		if !e.At.Before(svc.CreatedAt) {
			out = append(out, types.ServiceEvent{Id: aws.String(e.ID), CreatedAt: aws.Time(e.At), Message: aws.String(e.Message)})
		}
	}
	slices.Reverse(out)
	return out[:min(len(out), maxEvents)]
}

// shownDeployment is a deployment that has something to do, with its tasks.
type shownDeployment struct {
	store.Deployment
	primary bool
	tasks   store.ServiceCounts
	failed  int
}

// desiredTasks returns how many tasks a deployment should have. An older one should
// have the tasks that it has.
func (d *shownDeployment) desiredTasks(desired int32) int32 {
	if d.primary {
		return desired
	}
	return int32(d.tasks.Pending + d.tasks.Running)
}

// shownDeployments returns PRIMARY and the deployments that it has not replaced yet.
// Tasks of the revision to which a rollback goes back count as the rollback's own.
func shownDeployments(snap *store.Snapshot, svc *fleet.Service) []shownDeployment {
	var out []shownDeployment
	for _, d := range snap.Deployments(svc.Cluster, svc.Name) {
		one := shownDeployment{Deployment: d, primary: d.ID == svc.Deployment, tasks: snap.DeploymentTasks(svc.Cluster, d.ID)}
		if d.ServiceID != svc.ID || !one.primary && (len(out) == 0 || d.State != nil && d.State.Done) {
			continue
		}
		if len(out) > 0 {
			if first := &out[0]; first.RollbackOf != "" && d.Revision == first.Revision && d.ID != first.RollbackOf {
				first.tasks.Pending += one.tasks.Pending
				first.tasks.Running += one.tasks.Running
				continue
			}
		}
		one.failed = countFailures(snap, d)
		out = append(out, one)
	}
	return out
}

// countFailures counts the tasks of a deployment that have failed since the last
// healthy one. If the circuit breaker never resets its count, it counts all failed
// tasks.
func countFailures(snap *store.Snapshot, d store.Deployment) int {
	good := int64(0)
	if d.State != nil && !neverResetsCount(d.Configuration) {
		good = d.State.LastGood
	}
	n := 0
	for t := range snap.FailedTasks(d.Cluster, d.ID) {
		if t.Serial > good {
			n++
		}
	}
	return n
}

func neverResetsCount(c *types.DeploymentConfiguration) bool {
	return c != nil && c.DeploymentCircuitBreaker != nil && c.DeploymentCircuitBreaker.ResetOnHealthyTask != nil && !*c.DeploymentCircuitBreaker.ResetOnHealthyTask
}

func (s *Service) deploymentOut(snap *store.Snapshot, svc *fleet.Service, d *shownDeployment, desired int32) types.Deployment {
	out := types.Deployment{
		Id: aws.String(fleet.DeploymentStarter(d.ID)), Status: aws.String("ACTIVE"), CreatedAt: aws.Time(d.CreatedAt), UpdatedAt: aws.Time(d.updatedAt()),
		DesiredCount: d.desiredTasks(desired), PendingCount: int32(d.tasks.Pending), RunningCount: int32(d.tasks.Running), FailedTasks: int32(d.failed),
	}
	if d.primary {
		out.Status = aws.String("PRIMARY")
	}
	out.RolloutState, out.RolloutStateReason = rolloutState(d.Deployment)
	if r := snap.ServiceRevision(svc.Cluster, svc.Name, d.Revision); r != nil {
		out.TaskDefinition = aws.String(s.site.TaskDefinitionARN(r.Family, r.Revision))
		out.LaunchType, out.CapacityProviderStrategy = r.LaunchType, r.CapacityProviders
		out.PlatformVersion, out.PlatformFamily = shape.TextOrNil(r.PlatformVersion), shape.TextOrNil(r.PlatformFamily)
		out.NetworkConfiguration, out.VolumeConfigurations = r.Network, r.Volumes
	}
	return out
}

func (d *shownDeployment) updatedAt() time.Time {
	if d.State != nil && !d.State.UpdatedAt.IsZero() {
		return d.State.UpdatedAt
	}
	return d.CreatedAt
}

// rolloutState returns a deployment's rollout state with its reason. A deployment
// that the scheduler has not seen yet is IN_PROGRESS.
func rolloutState(d store.Deployment) (types.DeploymentRolloutState, *string) {
	if d.State == nil || d.State.Rollout == "" {
		return types.DeploymentRolloutStateInProgress, refuse.Text("ECS deployment %s in progress.", fleet.DeploymentStarter(d.ID))
	}
	return d.State.Rollout, shape.TextOrNil(d.State.Reason)
}

// currentDeployment returns the id of the newest deployment that a call requested: a
// rollback is a part of the deployment that it rolls back.
func currentDeployment(snap *store.Snapshot, svc *fleet.Service) string {
	d := snap.Deployment(svc.Cluster, svc.Name, svc.Deployment)
	for d.Deployment != nil && d.RollbackOf != "" {
		d = snap.Deployment(svc.Cluster, svc.Name, d.RollbackOf)
	}
	if d.Deployment == nil {
		return ""
	}
	return d.ID
}
