package ecs

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) updateServiceOperations() operations {
	return operations{
		"UpdateService": newOperation("ecs:UpdateService", func(in *sdk.UpdateServiceInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.Service))
		}),
	}
}

// UpdateService changes what a request mentions of a service. A change of the members
// from which tasks are made, or forceNewDeployment, creates a new deployment.
func (s *Service) UpdateService(ctx context.Context, in *sdk.UpdateServiceInput) (*sdk.UpdateServiceOutput, error) {
	extras := serviceExtras{
		controller: in.DeploymentController, balancers: in.LoadBalancers, registries: in.ServiceRegistries, connect: in.ServiceConnectConfiguration,
		lattice: in.VpcLatticeConfigurations, gateways: in.GatewayConnectors, monitoring: in.Monitoring, exec: aws.ToBool(in.EnableExecuteCommand),
	}
	if err := extras.checkServed(); err != nil {
		return nil, err
	}
	if n := in.HealthCheckGracePeriodSeconds; n != nil && *n < 0 {
		return nil, refuse.Invalid("healthCheckGracePeriodSeconds must not be negative, but it is %d.", *n)
	}
	if err := placer.CheckPlacement(in.PlacementConstraints, in.PlacementStrategy); err != nil {
		return nil, err
	}
	var next *fleet.Service
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		next, err = s.updateService(tx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	out, err := s.serviceOut(s.store.Snapshot(), next, true)
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateServiceOutput{Service: &out}, nil
}

func (s *Service) updateService(tx *store.Tx, in *sdk.UpdateServiceInput) (*fleet.Service, error) {
	c, err := s.clusterTx(tx, in.Cluster)
	if err != nil {
		return nil, err
	}
	was, err := s.serviceTx(tx, c.Name, in.Service)
	if err != nil {
		return nil, err
	}
	if was.Status != fleet.ServiceActive {
		return nil, &types.ServiceNotActiveException{Message: aws.String("Service was not ACTIVE.")}
	}
	snap := tx.Snapshot()
	runs := primaryRevision(snap, was)
	if runs == nil {
		return nil, fmt.Errorf("service %s of cluster %s has no revision of its deployment %s", was.Name, c.Name, was.Deployment)
	}
	svc, revision := *was, *runs
	spec := &serviceSpec{service: &svc, revision: &revision}
	if err := changeService(&svc, in); err != nil {
		return nil, err
	}
	if err := spec.checkScheduling(in.DesiredCount); err != nil {
		return nil, err
	}
	if err := s.changeRevision(tx, spec, c, in); err != nil {
		return nil, err
	}
	anew := in.ForceNewDeployment || !reflect.DeepEqual(&revision, runs)
	if anew || in.PlacementConstraints != nil || in.PlacementStrategy != nil {
		if err := spec.checkTasks(tx, s); err != nil {
			return nil, err
		}
	}
	if err := spec.setRebalancing(in.AvailabilityZoneRebalancing, false); err != nil {
		return nil, err
	}
	if anew {
		if err := s.createDeployment(tx, spec, runningRevisions(snap, was)); err != nil {
			return nil, err
		}
	}
	if svc.ClientToken == "" {
		svc.Request = "" // the service no longer matches the request that created it
	}
	return &svc, store.Put(tx, store.ServiceKey(c.Name, svc.Name), &svc)
}

// changeService applies the changes that do not affect existing tasks.
func changeService(svc *fleet.Service, in *sdk.UpdateServiceInput) (err error) {
	if in.DesiredCount != nil {
		svc.DesiredCount = int(*in.DesiredCount)
	}
	if svc.Configuration, err = mergeDeploymentConfiguration(svc.Scheduling, svc.Configuration, in.DeploymentConfiguration); err != nil {
		return err
	}
	if in.HealthCheckGracePeriodSeconds != nil {
		svc.GracePeriod = in.HealthCheckGracePeriodSeconds
	}
	if in.PlacementConstraints != nil {
		svc.Constraints = in.PlacementConstraints
	}
	if in.PlacementStrategy != nil {
		svc.Strategies = placer.NormalStrategies(in.PlacementStrategy)
	}
	if in.PropagateTags != "" {
		svc.PropagateTags = in.PropagateTags
	}
	if in.EnableECSManagedTags != nil {
		svc.ManagedTags = *in.EnableECSManagedTags
	}
	return nil
}

// changeRevision applies the changes of what tasks are made from.
func (s *Service) changeRevision(tx *store.Tx, spec *serviceSpec, c *fleet.Cluster, in *sdk.UpdateServiceInput) error {
	r := spec.revision
	if ref := aws.ToString(in.TaskDefinition); ref != "" {
		if err := s.setDefinition(tx, spec, ref); err != nil {
			return err
		}
	} else if spec.def, _ = tx.Snapshot().TaskDefinition(r.Family, r.Revision); spec.def == nil {
		return cmp.Or(store.Readable(tx.Snapshot(), store.TaskDefinitionKey(r.Family, r.Revision)), refuse.Client("TaskDefinition not found."))
	}
	if in.NetworkConfiguration != nil {
		r.Network = in.NetworkConfiguration
	}
	if in.PlatformVersion != nil {
		r.PlatformVersion = *in.PlatformVersion
	}
	if in.VolumeConfigurations != nil {
		r.Volumes = in.VolumeConfigurations
	}
	if in.CapacityProviderStrategy == nil {
		return nil
	}
	was := *r
	launchType := types.LaunchType("")
	if len(in.CapacityProviderStrategy) == 0 { // back to a launch type: the one that matches the former capacity
		if launchType = r.LaunchType; launchType == "" {
			launchType = lookup.ProviderLaunchType(tx.Snapshot(), *r.CapacityProviders[0].CapacityProvider)
		}
		if launchType == types.LaunchTypeManagedInstances {
			return refuse.Invalid("capacityProviderStrategy: a service on managed instances needs a capacity provider strategy.")
		}
	}
	if err := spec.setCapacity(tx.Snapshot(), c, launchType, in.CapacityProviderStrategy, s); err != nil {
		return err
	}
	if !in.ForceNewDeployment && !reflect.DeepEqual(was, *r) {
		return refuse.Invalid("When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.")
	}
	return nil
}

// runningRevisions returns the revisions of a service's current deployments, the
// newest first.
func runningRevisions(snap *store.Snapshot, svc *fleet.Service) []string {
	var out []string
	for _, d := range snap.Deployments(svc.Cluster, svc.Name) {
		if d.ServiceID == svc.ID && (d.State == nil || !d.State.Done) && !slices.Contains(out, d.Revision) {
			out = append(out, d.Revision)
		}
	}
	return out
}

func serviceNotFound() error {
	return &types.ServiceNotFoundException{Message: aws.String("Service not found.")}
}

// serviceName resolves a request's name of a cluster's service.
func (s *Service) serviceName(cluster, ref string) (name string, ok bool) {
	name, ok = s.site.MemberID("service", cluster, ref)
	return name, ok && fleet.ValidName(name)
}

// serviceTx finds the service that a request changes. The transaction then commits
// only if the service is unchanged.
func (s *Service) serviceTx(tx *store.Tx, cluster string, ref *string) (*fleet.Service, error) {
	name, ok := s.serviceName(cluster, aws.ToString(ref))
	if !ok {
		return nil, serviceNotFound()
	}
	svc := store.Get(tx, store.ServiceKey(cluster, name))
	if svc == nil {
		return nil, serviceNotFound()
	}
	return svc, nil
}
