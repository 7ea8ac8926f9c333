package ecs

import (
	"context"
	"strings"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) createServiceOperations() operations {
	return operations{
		"CreateService": newOperation("ecs:CreateService", func(in *sdk.CreateServiceInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.ServiceName))
		}),
	}
}

// CreateService creates a service with its first revision and deployment; the
// scheduler then starts its tasks. A repetition of the same request returns the
// service that the first one created.
func (s *Service) CreateService(ctx context.Context, in *sdk.CreateServiceInput) (*sdk.CreateServiceOutput, error) {
	name := aws.ToString(in.ServiceName)
	if !fleet.ValidName(name) {
		return nil, refuse.Invalid("serviceName %q is invalid: up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
	}
	if err := checkCreateService(in); err != nil {
		return nil, err
	}
	token, request, err := serviceToken(in)
	if err != nil {
		return nil, err
	}
	made := &fleet.Service{
		Name: name, ID: fleet.NewID(), Status: fleet.ServiceActive, CreatedBy: frontdoor.CallerFrom(ctx).Principal.ARN,
		Scheduling: in.SchedulingStrategy, GracePeriod: in.HealthCheckGracePeriodSeconds, Constraints: in.PlacementConstraints,
		Strategies:    placer.NormalStrategies(in.PlacementStrategy),
		PropagateTags: in.PropagateTags, ManagedTags: in.EnableECSManagedTags, Tags: in.Tags, ClientToken: token, Request: request,
	}
	if made.Scheduling == "" {
		made.Scheduling = types.SchedulingStrategyReplica
	}
	if made.PropagateTags == "" {
		made.PropagateTags = types.PropagateTagsNone
	}
	if err := placer.CheckPlacement(in.PlacementConstraints, in.PlacementStrategy); err != nil {
		return nil, err
	}
	if made.Configuration, err = mergeDeploymentConfiguration(made.Scheduling, nil, in.DeploymentConfiguration); err != nil {
		return nil, err
	}
	var is *fleet.Service
	err = s.store.Update(ctx, func(tx *store.Tx) (err error) {
		next := *made
		is, err = s.createService(tx, in, &next)
		return err
	})
	if err != nil {
		return nil, err
	}
	out, err := s.serviceOut(s.store.Snapshot(), is, true)
	if err != nil {
		return nil, err
	}
	return &sdk.CreateServiceOutput{Service: &out}, nil
}

// checkCreateService checks what can be checked without the state.
func checkCreateService(in *sdk.CreateServiceInput) error {
	extras := serviceExtras{
		controller: in.DeploymentController, balancers: in.LoadBalancers, registries: in.ServiceRegistries, connect: in.ServiceConnectConfiguration,
		lattice: in.VpcLatticeConfigurations, gateways: in.GatewayConnectors, monitoring: in.Monitoring, exec: in.EnableExecuteCommand,
	}
	if err := extras.checkServed(); err != nil {
		return err
	}
	switch {
	case aws.ToString(in.TaskDefinition) == "":
		return refuse.Invalid("TaskDefinition can not be blank.")
	case aws.ToString(in.Role) != "":
		return refuse.Invalid("role is only permitted with loadBalancers: leave it out.")
	case in.SchedulingStrategy != types.SchedulingStrategyDaemon && in.DesiredCount == nil:
		return refuse.Invalid("desiredCount is required for the REPLICA scheduling strategy.")
	case in.HealthCheckGracePeriodSeconds != nil && *in.HealthCheckGracePeriodSeconds < 0:
		return refuse.Invalid("healthCheckGracePeriodSeconds must not be negative, but it is %d.", *in.HealthCheckGracePeriodSeconds)
	}
	return tag.Check(in.Tags)
}

// serviceToken returns hashes of a request's clientToken ("": none) and of its
// parameters.
func serviceToken(in *sdk.CreateServiceInput) (token, request string, err error) {
	if t := aws.ToString(in.ClientToken); t != "" {
		if len(t) > 36 || strings.ContainsFunc(t, func(r rune) bool { return r < 33 || r > 126 }) {
			return "", "", refuse.Invalid("clientToken must have up to 36 ASCII characters in the range of 33-126.")
		}
		token = fleet.Hash("CreateService", t)
	}
	bare := *in
	bare.ClientToken, bare.Cluster = nil, nil
	params, err := awsjson.Marshal(&bare)
	return token, fleet.Hash(string(params)), err
}

// createService stores a new service, or returns the one that the same request
// created before.
func (s *Service) createService(tx *store.Tx, in *sdk.CreateServiceInput, made *fleet.Service) (*fleet.Service, error) {
	c, err := s.clusterTx(tx, in.Cluster)
	if err != nil {
		return nil, err
	}
	made.Cluster, made.CreatedAt = c.Name, s.now()
	k := store.ServiceKey(c.Name, made.Name)
	switch was := store.Get(tx, k); {
	case was == nil:
	case was.Status == fleet.ServiceInactive:
		made.Deployments = was.Deployments // a newer deployment has a higher number
	case was.Status == fleet.ServiceDraining:
		return nil, refuse.Invalid("Unable to Start a service that is still Draining.")
	case was.ClientToken == made.ClientToken && was.Request == made.Request:
		return was, nil
	default:
		return nil, refuse.Invalid("Creation of service was not idempotent.")
	}
	spec := &serviceSpec{service: made, revision: &fleet.ServiceRevision{
		PlatformVersion: aws.ToString(in.PlatformVersion), Network: in.NetworkConfiguration, Volumes: in.VolumeConfigurations,
	}}
	made.DesiredCount = int(aws.ToInt32(in.DesiredCount))
	if err := spec.checkScheduling(in.DesiredCount); err != nil {
		return nil, err
	}
	if err := s.setDefinition(tx, spec, *in.TaskDefinition); err != nil {
		return nil, err
	}
	if err := spec.setCapacity(tx.Snapshot(), c, in.LaunchType, in.CapacityProviderStrategy, s); err != nil {
		return nil, err
	}
	if err := spec.checkTasks(tx, s); err != nil {
		return nil, err
	}
	if err := spec.setRebalancing(in.AvailabilityZoneRebalancing, true); err != nil {
		return nil, err
	}
	if err := s.createDeployment(tx, spec, nil); err != nil {
		return nil, err
	}
	return made, store.Put(tx, k, made)
}

// createDeployment stores the revision and makes a deployment of it the service's
// PRIMARY one. The caller writes the service's own record.
func (s *Service) createDeployment(tx *store.Tx, spec *serviceSpec, sources []string) error {
	svc, r := spec.service, *spec.revision
	svc.Deployments++
	now := s.now()
	r.Cluster, r.Service, r.CreatedAt = svc.Cluster, svc.Name, now
	r.ID = fleet.DeploymentID("revision of "+svc.ID, svc.Deployments)
	spec.revision = &r
	d := &fleet.Deployment{
		Cluster: svc.Cluster, Service: svc.Name, ServiceID: svc.ID, ID: fleet.DeploymentID(svc.ID, svc.Deployments), Number: svc.Deployments,
		Revision: r.ID, CreatedAt: now, Sources: sources, Configuration: svc.Configuration,
	}
	svc.Deployment = d.ID
	if err := store.Create(tx, store.ServiceRevisionKey(svc.Cluster, svc.Name, r.ID), &r); err != nil {
		return err
	}
	return store.Create(tx, store.DeploymentKey(svc.Cluster, svc.Name, d.ID), d)
}
