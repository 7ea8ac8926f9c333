package ecs

import (
	"context"
	"fmt"
	"strings"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/control/query"
	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) instanceOperations() operations {
	return operations{
		"DeregisterContainerInstance": newOperation("ecs:DeregisterContainerInstance", func(in *sdk.DeregisterContainerInstanceInput) []string {
			return s.memberResources("container-instance", in.Cluster, aws.ToString(in.ContainerInstance))
		}),
		"DescribeContainerInstances": newOperation("ecs:DescribeContainerInstances", func(in *sdk.DescribeContainerInstancesInput) []string {
			return s.memberResources("container-instance", in.Cluster, in.ContainerInstances...)
		}),
		"ListContainerInstances": newOperation("ecs:ListContainerInstances", func(in *sdk.ListContainerInstancesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
		"DiscoverPollEndpoint": newOperation("ecs:DiscoverPollEndpoint", func(in *sdk.DiscoverPollEndpointInput) []string {
			if aws.ToString(in.ContainerInstance) == "" {
				return nil
			}
			return s.memberResources("container-instance", in.Cluster, *in.ContainerInstance)
		}),
	}
}

// DescribeContainerInstances describes up to 100 container instances.
func (s *Service) DescribeContainerInstances(ctx context.Context, in *sdk.DescribeContainerInstancesInput) (*sdk.DescribeContainerInstancesOutput, error) {
	if len(in.ContainerInstances) == 0 {
		return nil, refuse.NoInstances()
	}
	if len(in.ContainerInstances) > 100 {
		return nil, refuse.Invalid("Container instances cannot exceed 100 elements.")
	}
	var fields instanceFields
	for _, f := range in.Include {
		switch f {
		case types.ContainerInstanceFieldTags:
			fields.tags = true
		case types.ContainerInstanceFieldContainerInstanceHealth:
			fields.health = true
		}
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	out := &sdk.DescribeContainerInstancesOutput{ContainerInstances: []types.ContainerInstance{}, Failures: []types.Failure{}}
	for _, ref := range in.ContainerInstances {
		_, id, ok := s.resolveMember("container-instance", &c.Name, ref)
		if i := snap.Instance(c.Name, id); ok && i != nil {
			out.ContainerInstances = append(out.ContainerInstances, s.instanceOut(snap, i, fields))
			continue
		}
		out.Failures = append(out.Failures, refuse.Failure(s.instanceARN(c.Name, ref), refuse.Missing, lookup.UnreadableDetail(snap, store.InstanceKey(c.Name, id))))
	}
	return out, nil
}

// ListContainerInstances lists the ARNs of a cluster's container instances.
func (s *Service) ListContainerInstances(ctx context.Context, in *sdk.ListContainerInstancesInput) (*sdk.ListContainerInstancesOutput, error) {
	var filter *query.Expr
	if aws.ToString(in.Filter) != "" {
		var err error
		if filter, err = query.ParseCached(*in.Filter); err != nil {
			return nil, refuse.Invalid("filter is invalid: %s.", err)
		}
	}
	p, err := parsePage(in.MaxResults, in.NextToken, "ListContainerInstances", aws.ToString(in.Cluster), string(in.Status), aws.ToString(in.Filter))
	if err != nil {
		return nil, err
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	list := p.newCollector()
	shown := &placer.QueryView{Snap: snap} // one view for all instances: there may be thousands
	for i := range snap.Instances(c.Name, p.after) {
		if i.Status == fleet.InstanceInactive || (in.Status != "" && string(i.Status) != string(in.Status)) {
			continue
		}
		if shown.Instance = i; filter != nil && !filter.Matches(shown) {
			continue
		}
		if !list.add(i.ID, s.site.InstanceARN(c.Name, i.ID)) {
			break
		}
	}
	return &sdk.ListContainerInstancesOutput{ContainerInstanceArns: list.items, NextToken: list.next}, nil
}

// DiscoverPollEndpoint returns the addresses for an agent's sessions: the address at
// which the agent has reached this server, unless another one is configured.
func (s *Service) DiscoverPollEndpoint(ctx context.Context, _ *sdk.DiscoverPollEndpointInput) (*sdk.DiscoverPollEndpointOutput, error) {
	base := s.endpoint
	if base == "" {
		base = strings.TrimRight(frontdoor.CallerFrom(ctx).Endpoint, "/")
	}
	return &sdk.DiscoverPollEndpointOutput{
		Endpoint: aws.String(base + "/acs/"), TelemetryEndpoint: aws.String(base + "/tcs/"), ServiceConnectEndpoint: aws.String(base + "/sc/"),
	}, nil
}

// DeregisterContainerInstance removes a host from its cluster. With force, its tasks
// are stopped first if its agent is connected. If it is not connected, its tasks end
// at once: the caller says that the host is gone.
func (s *Service) DeregisterContainerInstance(ctx context.Context, in *sdk.DeregisterContainerInstanceInput) (*sdk.DeregisterContainerInstanceOutput, error) {
	if aws.ToString(in.ContainerInstance) == "" {
		return nil, refuse.Invalid("Container instance can not be blank.")
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	_, id, ok := s.resolveMember("container-instance", &c.Name, *in.ContainerInstance)
	if !ok || snap.Instance(c.Name, id) == nil {
		return nil, refuse.Invalid(instanceNotFound)
	}
	const reason = "Container instance was deregistered by force"
	switch {
	case !aws.ToBool(in.Force):
		err = s.store.Update(ctx, func(tx *store.Tx) error { return s.deregisterIdle(tx, c.Name, id) })
	case snap.Session(c.Name, id) == nil:
		err = s.endInstance(ctx, c.Name, id, reason)
	default:
		err = s.stopAndDeregister(ctx, c.Name, id, reason)
	}
	if err != nil {
		return nil, err
	}
	snap = s.store.Snapshot()
	i := snap.Instance(c.Name, id)
	if i == nil {
		return nil, refuse.Invalid(instanceNotFound)
	}
	out := s.instanceOut(snap, i, instanceFields{tags: true})
	return &sdk.DeregisterContainerInstanceOutput{ContainerInstance: &out}, nil
}

// deregisterIdle makes an idle instance INACTIVE.
func (s *Service) deregisterIdle(tx *store.Tx, cluster, id string) error {
	// The claim comes before the count: a transaction that places tasks there conflicts.
	if err := tx.Claim(store.HostGuard(cluster, id)); err != nil {
		return err
	}
	if u := tx.Snapshot().Usage(cluster, id); u != nil && u.Pending+u.Running > 0 {
		return refuse.Invalid("Found running tasks on the instance.")
	}
	return setInstanceStatus(tx, cluster, id, fleet.InstanceInactive, "")
}

func setInstanceStatus(tx *store.Tx, cluster, id string, status fleet.InstanceStatus, reason string) error {
	k := store.InstanceKey(cluster, id)
	i := store.Get(tx, k)
	if i == nil || i.Status == status || i.Status == fleet.InstanceInactive {
		return nil
	}
	next := *i
	next.Status, next.StatusReason = status, reason
	next.Version++
	return store.Put(tx, k, &next)
}

// stopAndDeregister stops the tasks on an instance. The report of its last task makes
// it INACTIVE.
func (s *Service) stopAndDeregister(ctx context.Context, cluster, id, reason string) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Claim(store.HostGuard(cluster, id)); err != nil {
			return err
		}
		status := fleet.InstanceDeregistering
		if u := tx.Snapshot().Usage(cluster, id); u == nil || u.Pending+u.Running == 0 {
			status = fleet.InstanceInactive
		}
		return setInstanceStatus(tx, cluster, id, status, reason)
	})
	if err != nil {
		return err
	}
	return s.updateTasks(ctx, cluster, id, func(tx *store.Tx, t *fleet.TaskState) error {
		return report.Stop(tx, cluster, t.ID, &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated, Reason: reason, At: s.now()})
	}, func(t *fleet.TaskState) bool { return t.Holds() && t.Stop == nil })
}

// endInstance makes an instance INACTIVE and ends its tasks: its host is gone, or
// reports that it does not know them. A failed call can be repeated.
func (s *Service) endInstance(ctx context.Context, cluster, id, reason string) error {
	// The order matters: first no new task may be placed, then the tasks end, then
	// the instance becomes INACTIVE. So an INACTIVE instance has no tasks left.
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Claim(store.HostGuard(cluster, id)); err != nil {
			return err
		}
		return setInstanceStatus(tx, cluster, id, fleet.InstanceDeregistering, reason)
	})
	if err != nil {
		return err
	}
	err = s.updateTasks(ctx, cluster, id, func(tx *store.Tx, t *fleet.TaskState) error {
		return report.EndTask(tx, t, reason, s.now())
	}, (*fleet.TaskState).Holds)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Claim(store.HostGuard(cluster, id)); err != nil {
			return err
		}
		return setInstanceStatus(tx, cluster, id, fleet.InstanceInactive, reason)
	})
}

// updateTasks runs do for the tasks of an instance for which needs returns true, as
// many in a transaction as fit, until there are none. do must make needs return
// false.
func (s *Service) updateTasks(ctx context.Context, cluster, id string, do func(*store.Tx, *fleet.TaskState) error, needs func(*fleet.TaskState) bool) error {
	for more := true; more; {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			more = false
			some := false
			for t := range tx.Snapshot().TasksOn(cluster, id) {
				if !needs(t) {
					continue
				}
				fits, err := tx.Try(func() error { return do(tx, t) })
				switch {
				case err != nil:
					return fmt.Errorf("task %s: %w", t.ID, err)
				case !fits && !some:
					return store.ErrTooLarge
				case !fits:
					more = true
					return nil
				}
				some = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
