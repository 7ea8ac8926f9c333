package ecs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const acknowledged = "ACK"

// SubmitTaskStateChange takes a host's report on one of its tasks. It answers
// once the report is stored, and also for a task that is no more: an agent
// drops what is acknowledged and repeats everything else.
func (s *Service) SubmitTaskStateChange(ctx context.Context, in *sdk.SubmitTaskStateChangeInput) (*sdk.SubmitTaskStateChangeOutput, error) {
	out := &sdk.SubmitTaskStateChangeOutput{Acknowledgment: aws.String(acknowledged)}
	if aws.ToString(in.Status) == "" && len(in.Attachments)+len(in.Containers)+len(in.ManagedAgents) == 0 {
		return nil, invalid("status can not be blank.")
	}
	st := statement{
		reason: aws.ToString(in.Reason), containers: in.Containers, pullStarted: aws.ToTime(in.PullStartedAt),
		pullStopped: aws.ToTime(in.PullStoppedAt), executionStopped: aws.ToTime(in.ExecutionStoppedAt),
	}
	if aws.ToString(in.Status) != "" {
		if st.status = fleet.TaskStatus(strings.ToUpper(*in.Status)); st.status.Order() == 0 {
			return nil, invalid("status must be PENDING, RUNNING or STOPPED, not %q.", *in.Status)
		}
	}
	return out, s.report(ctx, in.Cluster, aws.ToString(in.Task), st)
}

// SubmitContainerStateChange takes a report on one container, as older agents
// send it.
func (s *Service) SubmitContainerStateChange(ctx context.Context, in *sdk.SubmitContainerStateChangeInput) (*sdk.SubmitContainerStateChangeOutput, error) {
	if aws.ToString(in.ContainerName) == "" {
		return nil, invalid("containerName can not be blank.")
	}
	st := statement{containers: []types.ContainerStateChange{{
		ContainerName: in.ContainerName, ExitCode: in.ExitCode, NetworkBindings: in.NetworkBindings,
		Reason: in.Reason, RuntimeId: in.RuntimeId, Status: in.Status,
	}}}
	return &sdk.SubmitContainerStateChangeOutput{Acknowledgment: aws.String(acknowledged)},
		s.report(ctx, in.Cluster, aws.ToString(in.Task), st)
}

var errUnknownTask = errors.New("task is not known")

// report stores what a host says of a task.
func (s *Service) report(ctx context.Context, cluster *string, task string, in statement) error {
	name, id, ok := s.reported(cluster, task)
	if !ok {
		return invalid("task %q is neither the id nor the ARN of a task.", task)
	}
	caller := frontdoor.CallerFrom(ctx).Principal
	now := s.now()
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		t := tx.Snapshot().Task(name, id)
		if t == nil {
			return errUnknownTask
		}
		// The authorizer asked the same; the record that is written rests on
		// what this transaction sees.
		i := tx.Snapshot().Instance(name, t.Instance)
		if caller.Kind == identity.Host && (i == nil || i.Principal != caller.ARN) {
			return &types.AccessDeniedException{Message: aws.String("The task " + id + " is not placed on the container instance of " + caller.ARN + ".")}
		}
		d, _ := tx.Snapshot().TaskDefinition(t.Family, t.Revision)
		next := apply(t, d, in, now)
		if next == nil {
			return nil
		}
		return s.putReport(tx, t, i, next)
	})
	if errors.Is(err, errUnknownTask) {
		return nil
	}
	return err
}

// putReport writes a report, guarded by all that it was derived from.
func (s *Service) putReport(tx *store.Tx, t *fleet.TaskState, i *fleet.Instance, next *fleet.TaskReport) error {
	k := store.TaskReportKey(t.Cluster, t.ID)
	store.Get(tx, k)
	store.Get(tx, store.TaskKey(t.Cluster, t.ID))
	if next.Status == fleet.TaskStopped {
		store.Get(tx, store.TaskStopKey(t.Cluster, t.ID))
		if err := s.emptied(tx, t, i); err != nil {
			return err
		}
	}
	return store.Put(tx, k, next)
}

// emptied ends the deregistration of an instance whose last task has ended.
func (s *Service) emptied(tx *store.Tx, t *fleet.TaskState, i *fleet.Instance) error {
	if i == nil || i.Status != fleet.InstanceDeregistering {
		return nil
	}
	// Of two last tasks that end at once each would still see the other.
	if err := tx.Claim(store.HostGuard(t.Cluster, i.ID)); err != nil {
		return err
	}
	if u := tx.Snapshot().Usage(t.Cluster, i.ID); u == nil || u.Pending+u.Running > 1 {
		return nil
	}
	k := store.InstanceKey(t.Cluster, i.ID)
	next := *store.Get(tx, k)
	next.Status = fleet.InstanceInactive
	next.Version++
	return store.Put(tx, k, &next)
}

// settleLost writes the end of a task whose host is gone for good, or has said
// that it knows nothing of it. It is the one report that no host makes.
func (s *Service) settleLost(tx *store.Tx, t *fleet.TaskState, reason string, now time.Time) error {
	wish := t.Stop
	if wish == nil {
		wish = &fleet.TaskStop{Code: types.TaskStopCodeInfrastructureHealth, Reason: reason, At: now}
	}
	if err := stop(tx, t.Cluster, t.ID, wish); err != nil {
		return err
	}
	d, _ := tx.Snapshot().TaskDefinition(t.Family, t.Revision)
	next := apply(&fleet.TaskState{Task: t.Task, Stop: wish, Report: t.Report}, d, statement{status: fleet.TaskStopped}, now)
	if next == nil {
		return nil
	}
	return s.putReport(tx, t, nil, next)
}
