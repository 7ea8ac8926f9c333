package ecs

import (
	"errors"
	"strings"

	"github.com/ashore/ashore/internal/control/capacity"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// serviceSpec is a service as a request wants it: its record, and the revision that
// its tasks are made from. Its methods check one against the other and fill in what
// the request leaves to ECS.
type serviceSpec struct {
	service  *fleet.Service
	revision *fleet.ServiceRevision
	def      *fleet.TaskDefinition
}

// setDefinition finds the task definition and sets it in spec. The definition must be
// ACTIVE and stay so until the transaction commits.
func (s *Service) setDefinition(tx *store.Tx, spec *serviceSpec, ref string) error {
	d, st, err := lookup.Definition(tx.Snapshot(), s.site, ref)
	if err != nil {
		return lookup.NotFoundError(err, "TaskDefinition not found.")
	}
	// Guard the definition too: a deleted one has no state record, like an ACTIVE one.
	store.Get(tx, store.TaskDefinitionKey(d.Family, d.Revision))
	store.Get(tx, store.TaskDefinitionStateKey(d.Family, d.Revision))
	if lookup.DefinitionStatus(st) != types.TaskDefinitionStatusActive {
		return refuse.Client("TaskDefinition is inactive")
	}
	spec.def = d
	spec.revision.Family, spec.revision.Revision = d.Family, d.Revision
	return nil
}

// setCapacity decides where the service's tasks go: to a launch type, or by a
// strategy to capacity providers of the cluster. If the request has neither, it
// copies the cluster's current default strategy.
func (spec *serviceSpec) setCapacity(snap *store.Snapshot, c *fleet.Cluster, launchType types.LaunchType, strategy []types.CapacityProviderStrategyItem, s *Service) error {
	field := "capacityProviderStrategy"
	switch {
	case len(strategy) > 0 && launchType != "":
		return refuse.Invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case launchType == types.LaunchTypeManagedInstances:
		return refuse.Invalid("launchType MANAGED_INSTANCES can't be asked for: leave launchType out and name the capacity provider of the managed instances in capacityProviderStrategy.")
	case len(strategy) == 0 && launchType == "":
		strategy, field = c.DefaultCapacityProviderStrategy, "defaultCapacityProviderStrategy"
	}
	if len(strategy) == 0 {
		if launchType == "" {
			launchType = types.LaunchTypeEc2
		}
		spec.revision.LaunchType, spec.revision.CapacityProviders = launchType, nil
		return nil
	}
	named := make([]types.CapacityProviderStrategyItem, len(strategy))
	for i, item := range strategy {
		named[i] = item
		if name, ok := s.site.CapacityProviderName(aws.ToString(item.CapacityProvider)); ok {
			named[i].CapacityProvider = &name
		}
	}
	err := capacity.Check(field, named, c.CapacityProviders)
	if err == nil {
		err = capacity.Usable(field, named)
	}
	if broken := (*capacity.Error)(nil); errors.As(err, &broken) {
		return refuse.Invalid("%s", broken.Message)
	} else if err != nil {
		return err
	}
	for _, item := range named {
		p := lookup.Provider(snap, *item.CapacityProvider)
		if p == nil || p.Status != types.CapacityProviderStatusActive {
			return refuse.Invalid("%s: the capacity provider %s is not ACTIVE.", field, *item.CapacityProvider)
		}
	}
	spec.revision.LaunchType, spec.revision.CapacityProviders = "", named
	return nil
}

// checkTasks checks that tasks of the revision can be created at all, as RunTask does
// for its tasks.
func (spec *serviceSpec) checkTasks(tx *store.Tx, s *Service) (err error) {
	spec.revision.PlatformFamily, err = s.placer.CheckService(tx, spec.service, spec.revision, spec.def)
	return err
}

// rebalancingObstacle returns why a service can't be rebalanced across availability
// zones, or "" if it can (ECS Developer Guide, "Balancing an Amazon ECS service
// across Availability Zones").
func (spec *serviceSpec) rebalancingObstacle() (why string) {
	svc := spec.service
	zone := func(s *string) bool { return strings.Contains(aws.ToString(s), "ecs.availability-zone") }
	switch {
	case svc.Scheduling == types.SchedulingStrategyDaemon:
		return "the DAEMON scheduling strategy has no place to choose"
	case spec.revision.LaunchType == types.LaunchTypeExternal:
		return "it is not supported with EXTERNAL launch type"
	case aws.ToInt32(svc.Configuration.MaximumPercent) <= 100:
		return "maximumPercent must be greater than 100"
	case len(svc.Strategies) > 0 && (svc.Strategies[0].Type != types.PlacementStrategyTypeSpread || !zone(svc.Strategies[0].Field)):
		return "the first placement strategy must be spread by attribute:ecs.availability-zone, or there must be none"
	}
	for _, c := range svc.Constraints {
		if zone(c.Expression) {
			return "a placement constraint names ecs.availability-zone"
		}
	}
	return ""
}

// setRebalancing decides the setting. What is asked for must be possible. If nothing
// is asked for, a new service is rebalanced if that is possible.
func (spec *serviceSpec) setRebalancing(asked types.AvailabilityZoneRebalancing, created bool) error {
	svc, why := spec.service, spec.rebalancingObstacle()
	switch {
	case asked == "" && created && why == "":
		svc.Rebalancing = types.AvailabilityZoneRebalancingEnabled
	case asked == "" && created:
		svc.Rebalancing = types.AvailabilityZoneRebalancingDisabled
	case asked != "":
		svc.Rebalancing = asked
	}
	if svc.Rebalancing == types.AvailabilityZoneRebalancingEnabled && why != "" {
		return refuse.Invalid("availabilityZoneRebalancing ENABLED is not possible for this service: %s.", why)
	}
	return nil
}

// checkScheduling checks what depends on the scheduling strategy.
func (spec *serviceSpec) checkScheduling(desired *int32) error {
	svc := spec.service
	if svc.Scheduling != types.SchedulingStrategyDaemon {
		if desired != nil && *desired < 0 {
			return refuse.Invalid("desiredCount must not be negative, but it is %d.", *desired)
		}
		return nil
	}
	switch {
	case desired != nil:
		return refuse.Invalid("The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again.")
	case len(svc.Strategies) > 0:
		return refuse.Invalid("The daemon scheduling strategy does not support placement strategies. Remove placementStrategy and try again.")
	case len(spec.revision.Volumes) > 0:
		return refuse.Invalid("volumeConfigurations are only supported for the REPLICA scheduling strategy.")
	}
	for _, c := range svc.Constraints {
		if c.Type == types.PlacementConstraintTypeDistinctInstance {
			return refuse.Invalid("The daemon scheduling strategy does not support the placement constraint distinctInstance: no instance runs two tasks of a daemon.")
		}
	}
	return nil
}
