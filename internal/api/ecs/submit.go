package ecs

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const acknowledged = "ACK"

func (s *Service) submitOperations() operations {
	return operations{
		"SubmitTaskStateChange": newOperation("ecs:SubmitTaskStateChange", func(in *sdk.SubmitTaskStateChangeInput) []string {
			return []string{s.reportedResource(in.Cluster, in.Task)}
		}),
		"SubmitContainerStateChange": newOperation("ecs:SubmitContainerStateChange", func(in *sdk.SubmitContainerStateChangeInput) []string {
			return []string{s.reportedResource(in.Cluster, in.Task)}
		}),
	}
}

// SubmitTaskStateChange stores a host's report about one of its tasks. It answers
// when the report is stored. It also acknowledges a report about a task that no
// longer exists: an agent forgets what is acknowledged and repeats everything else.
func (s *Service) SubmitTaskStateChange(ctx context.Context, in *sdk.SubmitTaskStateChangeInput) (*sdk.SubmitTaskStateChangeOutput, error) {
	out := &sdk.SubmitTaskStateChangeOutput{Acknowledgment: aws.String(acknowledged)}
	if aws.ToString(in.Status) == "" && len(in.Attachments)+len(in.Containers)+len(in.ManagedAgents) == 0 {
		return nil, refuse.Invalid("status can not be blank.")
	}
	st := report.Statement{
		Reason: aws.ToString(in.Reason), Containers: in.Containers, PullStarted: aws.ToTime(in.PullStartedAt),
		PullStopped: aws.ToTime(in.PullStoppedAt), ExecutionStopped: aws.ToTime(in.ExecutionStoppedAt),
	}
	if aws.ToString(in.Status) != "" {
		if st.Status = fleet.TaskStatus(strings.ToUpper(*in.Status)); st.Status.Order() == 0 {
			return nil, refuse.Invalid("status must be PENDING, RUNNING or STOPPED, not %q.", *in.Status)
		}
	}
	return out, s.storeReport(ctx, "ecs:SubmitTaskStateChange", in.Cluster, aws.ToString(in.Task), st)
}

// SubmitContainerStateChange stores a report about one container, as older agents
// send it.
func (s *Service) SubmitContainerStateChange(ctx context.Context, in *sdk.SubmitContainerStateChangeInput) (*sdk.SubmitContainerStateChangeOutput, error) {
	if aws.ToString(in.ContainerName) == "" {
		return nil, refuse.Invalid("containerName can not be blank.")
	}
	st := report.Statement{Containers: []types.ContainerStateChange{{
		ContainerName: in.ContainerName, ExitCode: in.ExitCode, NetworkBindings: in.NetworkBindings,
		Reason: in.Reason, RuntimeId: in.RuntimeId, Status: in.Status,
	}}}
	return &sdk.SubmitContainerStateChangeOutput{Acknowledgment: aws.String(acknowledged)},
		s.storeReport(ctx, "ecs:SubmitContainerStateChange", in.Cluster, aws.ToString(in.Task), st)
}

var errUnknownTask = errors.New("task is not known")

// storeReport stores what a host reports about a task. action is the action that the
// caller needs.
func (s *Service) storeReport(ctx context.Context, action string, cluster *string, task string, in report.Statement) error {
	name, id, ok := s.resolveReported(cluster, task)
	if !ok {
		return refuse.Invalid("task %q is neither the id nor the ARN of a task.", task)
	}
	caller := frontdoor.CallerFrom(ctx).Principal
	now := s.now()
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		t := tx.Snapshot().Task(name, id)
		if t == nil {
			return cmp.Or(store.Readable(tx.Snapshot(), store.TaskKey(name, id)), errUnknownTask)
		}
		// The front door has authorized the call already. It is authorized again here,
		// by the state on which this transaction commits.
		may, err := s.auth.Decide(tx.Snapshot(), identity.Request{
			Caller: caller, Action: action, Resources: []string{s.site.TaskARN(name, id)}, Context: func(key string) []string {
				if key == identity.KeyAnotherAgent {
					return identity.Bool(isAnotherAgent(ctx, tx.Snapshot().Session(name, t.Instance)))
				}
				return nil
			},
		})
		if err != nil {
			return err
		}
		if denied := may.Err(); denied != nil {
			return &types.AccessDeniedException{Message: aws.String(denied.Error())}
		}
		d, err := report.ReadDefinition(tx.Snapshot(), t)
		if err != nil {
			return err
		}
		next := report.Apply(t, d, explainPulls(d, in), now)
		if next == nil {
			return nil
		}
		return report.Put(tx, t, next)
	})
	if errors.Is(err, errUnknownTask) {
		return nil
	}
	return err
}
