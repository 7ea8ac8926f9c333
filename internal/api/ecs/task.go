package ecs

import (
	"context"
	"slices"

	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) taskOperations() operations {
	return operations{
		"StopTask": newOperation("ecs:StopTask", func(in *sdk.StopTaskInput) []string {
			return s.memberResources("task", in.Cluster, aws.ToString(in.Task))
		}),
		"DescribeTasks": newOperation("ecs:DescribeTasks", func(in *sdk.DescribeTasksInput) []string {
			return s.memberResources("task", in.Cluster, in.Tasks...)
		}),
	}
}

// DescribeTasks describes up to 100 tasks of a cluster.
func (s *Service) DescribeTasks(ctx context.Context, in *sdk.DescribeTasksInput) (*sdk.DescribeTasksOutput, error) {
	if len(in.Tasks) == 0 {
		return nil, refuse.Invalid("Tasks cannot be empty.")
	}
	if len(in.Tasks) > 100 {
		return nil, refuse.Invalid("Tasks cannot exceed 100 elements.")
	}
	tags := slices.Contains(in.Include, types.TaskFieldTags)
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	out := &sdk.DescribeTasksOutput{Tasks: []types.Task{}, Failures: []types.Failure{}}
	for _, ref := range in.Tasks {
		id, ok, err := s.resolveTask(c.Name, ref)
		if err != nil {
			return nil, err
		}
		if t := lookup.Task(snap, c.Name, id); ok && t != nil {
			out.Tasks = append(out.Tasks, s.taskOut(snap, t, tags))
			continue
		}
		arn := ref
		if !fleet.IsARN(ref) {
			arn = s.site.TaskARN(c.Name, ref)
		}
		out.Failures = append(out.Failures, refuse.Failure(arn, refuse.Missing, lookup.UnreadableDetail(snap, store.TaskKey(c.Name, id))))
	}
	return out, nil
}

// resolveTask resolves a request's name of a task. ok is false if the task can't be
// in this cluster.
func (s *Service) resolveTask(cluster, ref string) (id string, ok bool, err error) {
	if !fleet.IsARN(ref) && len(ref) != fleet.IDLength && len(ref) != 36 {
		return "", false, refuse.Invalid("taskId length should be one of [32,36].")
	}
	id, ok = s.site.MemberID("task", cluster, ref)
	return id, ok && fleet.IsID(id), nil
}

// StopTask requests the end of a task; the report of its host ends it. A task that is
// ending or has ended stays as it is.
func (s *Service) StopTask(ctx context.Context, in *sdk.StopTaskInput) (*sdk.StopTaskOutput, error) {
	if aws.ToString(in.Task) == "" {
		return nil, refuse.Invalid("Task can not be blank.")
	}
	reason := aws.ToString(in.Reason)
	if len(reason) > 1024 {
		return nil, refuse.Invalid("reason can have at most 1024 characters, not %d.", len(reason))
	}
	if reason == "" {
		reason = "Task stopped by user"
	}
	var cluster, id string
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		c, err := lookup.ActiveCluster(tx.Snapshot().Cluster, s.site, in.Cluster)
		if err != nil {
			return err
		}
		var ok bool
		if id, ok, err = s.resolveTask(c.Name, *in.Task); err != nil {
			return err
		}
		cluster = c.Name
		if !ok || lookup.Task(tx.Snapshot(), cluster, id) == nil {
			return refuse.Invalid("The referenced task was not found.")
		}
		wish := &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated, Reason: reason, At: s.now()}
		if tx.Snapshot().WaitingTask(cluster, id) != nil {
			return report.StopWaiting(tx, cluster, id, wish)
		}
		return report.Stop(tx, cluster, id, wish)
	})
	if err != nil {
		return nil, err
	}
	snap := s.store.Snapshot()
	t := snap.Task(cluster, id)
	if t == nil {
		return nil, refuse.Invalid("The referenced task was not found.")
	}
	out := s.taskOut(snap, t, true)
	return &sdk.StopTaskOutput{Task: &out}, nil
}
