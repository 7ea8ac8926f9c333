package ecs

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) listTasksOperations() operations {
	return operations{
		"ListTasks": newOperation("ecs:ListTasks", func(in *sdk.ListTasksInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
	}
}

// ListTasks lists the ARNs of a cluster's tasks.
func (s *Service) ListTasks(ctx context.Context, in *sdk.ListTasksInput) (*sdk.ListTasksOutput, error) {
	f, err := newTaskFilter(in)
	if err != nil {
		return nil, err
	}
	instance, service, daemon := aws.ToString(in.ContainerInstance), aws.ToString(in.ServiceName), aws.ToString(in.DaemonName)
	p, err := parsePage(in.MaxResults, in.NextToken, "ListTasks", aws.ToString(in.Cluster), instance, f.Family, f.StartedBy, service,
		string(f.Desired), string(f.LaunchType), daemon)
	if err != nil {
		return nil, err
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	if daemon != "" {
		return nil, &types.DaemonNotFoundException{Message: aws.String("Daemon not found.")}
	}
	if service != "" {
		name, ok := s.serviceName(c.Name, service)
		if !ok || snap.Service(c.Name, name) == nil {
			return nil, serviceNotFound()
		}
		f.Service = name
	}
	if instance != "" {
		id, ok := s.site.MemberID("container-instance", c.Name, instance)
		if !ok || !fleet.IsID(id) || snap.Instance(c.Name, id) == nil {
			return nil, refuse.Invalid("The specified container instance does not exist: %s", instance)
		}
		f.Instance = id
	}
	list := p.newCollector()
	for id := range taskIDs(snap, c.Name, f, p.after) {
		if !list.add(id, s.site.TaskARN(c.Name, id)) {
			break
		}
	}
	return &sdk.ListTasksOutput{TaskArns: list.items, NextToken: list.next}, nil
}

// newTaskFilter checks which filters may be combined.
func newTaskFilter(in *sdk.ListTasksInput) (store.TaskFilter, error) {
	f := store.TaskFilter{Family: aws.ToString(in.Family), StartedBy: aws.ToString(in.StartedBy), LaunchType: in.LaunchType}
	// ECS never sets a desired status of PENDING, so that filter finds nothing on ECS
	// either.
	if f.Desired = fleet.TaskStatus(in.DesiredStatus); f.Desired == "" {
		f.Desired = fleet.TaskRunning
	}
	if f.Family != "" && !fleet.ValidName(f.Family) {
		return f, refuse.Invalid(`family must match ^[a-zA-Z0-9\-_]+$`)
	}
	if f.StartedBy == "" {
		return f, nil
	}
	for field, set := range map[string]bool{
		"family": f.Family != "", "serviceName": aws.ToString(in.ServiceName) != "", "daemonName": aws.ToString(in.DaemonName) != "",
		"containerInstance": aws.ToString(in.ContainerInstance) != "", "launchType": f.LaunchType != "",
	} {
		if set {
			return f, refuse.Invalid("startedBy can not be combined with %s: besides cluster and desiredStatus it must be the only filter.", field)
		}
	}
	return f, nil
}

// taskIDs yields the ids of a cluster's tasks that a filter selects, in order. It
// includes tasks that wait for a host.
func taskIDs(snap *store.Snapshot, cluster string, f store.TaskFilter, after string) iter.Seq[string] {
	var waiting []string // a few hundred at most
	for w := range snap.WaitingTasks(cluster, after) {
		if f.Selects(&fleet.TaskState{Task: w}) {
			waiting = append(waiting, w.ID)
		}
	}
	return func(yield func(string) bool) {
		for t := range snap.TasksWhere(cluster, f, after) {
			for len(waiting) > 0 && strings.Compare(waiting[0], t.ID) < 0 {
				if !yield(waiting[0]) {
					return
				}
				waiting = waiting[1:]
			}
			if !yield(t.ID) {
				return
			}
		}
		for id := range slices.Values(waiting) {
			if !yield(id) {
				return
			}
		}
	}
}
