package ecs

import (
	"context"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) runTaskOperations() operations {
	return operations{
		"RunTask": newOperation("ecs:RunTask", func(in *sdk.RunTaskInput) []string {
			return []string{s.clusterResource(in.Cluster), s.definitionResource(in.TaskDefinition)}
		}),
		"StartTask": newOperation("ecs:StartTask", func(in *sdk.StartTaskInput) []string {
			return append(s.memberResources("container-instance", in.Cluster, in.ContainerInstances...), s.definitionResource(in.TaskDefinition))
		}),
	}
}

// RunTask places tasks on hosts with room for them and answers when that is stored. A
// repetition with the same clientToken gets the first call's answer.
func (s *Service) RunTask(ctx context.Context, in *sdk.RunTaskInput) (*sdk.RunTaskOutput, error) {
	l, err := placer.RunTaskLaunch(in, frontdoor.CallerFrom(ctx).Principal.ARN)
	if err != nil {
		return nil, err
	}
	o, err := s.placer.Place(ctx, l)
	if err != nil {
		return nil, err
	}
	tasks, failures := s.outcomeOut(o)
	return &sdk.RunTaskOutput{Tasks: tasks, Failures: failures}, nil
}

// StartTask places a task on each of the hosts that the caller names.
func (s *Service) StartTask(ctx context.Context, in *sdk.StartTaskInput) (*sdk.StartTaskOutput, error) {
	l, err := placer.StartTaskLaunch(in, frontdoor.CallerFrom(ctx).Principal.ARN)
	if err != nil {
		return nil, err
	}
	o, err := s.placer.Place(ctx, l)
	if err != nil {
		return nil, err
	}
	tasks, failures := s.outcomeOut(o)
	return &sdk.StartTaskOutput{Tasks: tasks, Failures: failures}, nil
}

// outcomeOut describes the outcome of a launch.
func (s *Service) outcomeOut(o placer.Outcome) ([]types.Task, []types.Failure) {
	snap := s.store.Snapshot()
	tasks, failures := []types.Task{}, []types.Failure{}
	for _, id := range o.Tasks {
		if t := lookup.Task(snap, o.Cluster, id); t != nil {
			tasks = append(tasks, s.taskOut(snap, t, true))
			continue
		}
		// The call is a repetition, and the task has been deleted since.
		failures = append(failures, refuse.Failure(s.site.TaskARN(o.Cluster, id), refuse.Missing,
			"The clientToken was used before: it started this task, which has stopped and is no longer kept."))
	}
	for _, f := range o.Failures {
		failures = append(failures, failureOut(f))
	}
	return tasks, failures
}

func failureOut(f fleet.Failure) types.Failure {
	out := types.Failure{Reason: aws.String(f.Reason)}
	if f.ARN != "" {
		out.Arn = aws.String(f.ARN)
	}
	if f.Detail != "" {
		out.Detail = aws.String(f.Detail)
	}
	return out
}
