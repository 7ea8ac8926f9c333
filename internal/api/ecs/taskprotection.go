package ecs

import (
	"context"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// taskNotValid is the reason of the failure for a task that can't be protected.
const taskNotValid = "TASK_NOT_VALID"

const (
	defaultProtection = 120  // minutes, if the request has none
	maxProtection     = 2880 // minutes
)

func (s *Service) taskProtectionOperations() operations {
	return operations{
		"UpdateTaskProtection": newOperation("ecs:UpdateTaskProtection", func(in *sdk.UpdateTaskProtectionInput) []string {
			return s.memberResources("task", in.Cluster, in.Tasks...)
		}),
		"GetTaskProtection": newOperation("ecs:GetTaskProtection", func(in *sdk.GetTaskProtectionInput) []string {
			if len(in.Tasks) == 0 {
				return []string{s.anyMemberARN("task", in.Cluster)}
			}
			return s.memberResources("task", in.Cluster, in.Tasks...)
		}),
	}
}

// UpdateTaskProtection protects tasks of services from scale-in for a time, or ends
// that. Expiry is not written: readers compare ProtectedUntil with the time.
func (s *Service) UpdateTaskProtection(ctx context.Context, in *sdk.UpdateTaskProtectionInput) (*sdk.UpdateTaskProtectionOutput, error) {
	minutes := int32(defaultProtection)
	if in.ExpiresInMinutes != nil {
		minutes = *in.ExpiresInMinutes
	}
	switch {
	case aws.ToString(in.Cluster) == "":
		return nil, refuse.Invalid("Cluster can not be blank.")
	case len(in.Tasks) == 0:
		return nil, refuse.Invalid("Tasks cannot be empty.")
	case len(in.Tasks) > 10:
		return nil, refuse.Invalid("Tasks cannot exceed 10 elements, and there are %d.", len(in.Tasks))
	case minutes < 1 || minutes > maxProtection:
		return nil, refuse.Invalid("expiresInMinutes must be between 1 and %d, not %d.", maxProtection, minutes)
	}
	// Another server may just have placed a task. It must not be reported missing.
	if _, err := s.store.Fresh(ctx); err != nil {
		return nil, err
	}
	out := &sdk.UpdateTaskProtectionOutput{}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		out.ProtectedTasks, out.Failures = []types.ProtectedTask{}, []types.Failure{}
		c, err := s.clusterTx(tx, in.Cluster)
		if err != nil {
			return err
		}
		var until time.Time
		if in.ProtectionEnabled {
			until = s.now().Add(time.Duration(minutes) * time.Minute)
		}
		for _, ref := range in.Tasks {
			t, failed, err := s.findProtectable(tx.Snapshot(), c.Name, ref)
			if err != nil {
				return err
			}
			if failed != nil {
				out.Failures = append(out.Failures, *failed)
				continue
			}
			if err := writeProtection(tx, t, until); err != nil {
				return err
			}
			out.ProtectedTasks = append(out.ProtectedTasks, s.protectedOut(t, until))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// writeProtection writes until when a task is protected; zero means that it is not.
func writeProtection(tx *store.Tx, t *fleet.TaskState, until time.Time) error {
	if store.Get(tx, store.TaskKey(t.Cluster, t.ID)) == nil {
		return nil // Get guards the record: if the task was deleted, the transaction does not commit
	}
	k := store.TaskAmendmentKey(t.Cluster, t.ID)
	next := fleet.TaskAmendment{}
	if was := store.Get(tx, k); was != nil {
		next = *was
	}
	if next.ProtectedUntil.Equal(until) {
		return nil
	}
	next.ProtectedUntil = until
	return store.Put(tx, k, &next)
}

// GetTaskProtection returns which of the tasks are protected. Without tasks it
// returns the protected tasks of the cluster.
func (s *Service) GetTaskProtection(ctx context.Context, in *sdk.GetTaskProtectionInput) (*sdk.GetTaskProtectionOutput, error) {
	switch {
	case aws.ToString(in.Cluster) == "":
		return nil, refuse.Invalid("Cluster can not be blank.")
	case len(in.Tasks) > 100:
		return nil, refuse.Invalid("Tasks cannot exceed 100 elements, and there are %d.", len(in.Tasks))
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	now := s.now()
	out := &sdk.GetTaskProtectionOutput{ProtectedTasks: []types.ProtectedTask{}, Failures: []types.Failure{}}
	if len(in.Tasks) == 0 {
		for t := range snap.LiveTasks(c.Name, "") {
			if t.Protected(now) {
				out.ProtectedTasks = append(out.ProtectedTasks, s.protectedOut(t, t.Amendment.ProtectedUntil))
			}
		}
	}
	for _, ref := range in.Tasks {
		t, failed, err := s.findProtectable(snap, c.Name, ref)
		if err != nil {
			return nil, err
		}
		if failed != nil {
			out.Failures = append(out.Failures, *failed)
			continue
		}
		var until time.Time
		if t.Protected(now) {
			until = t.Amendment.ProtectedUntil
		}
		out.ProtectedTasks = append(out.ProtectedTasks, s.protectedOut(t, until))
	}
	return out, nil
}

// findProtectable finds a task that can be protected: a task of a service that is not
// ending. It returns a failure if the task can't be protected.
func (s *Service) findProtectable(snap *store.Snapshot, cluster, ref string) (*fleet.TaskState, *types.Failure, error) {
	id, ok, err := s.resolveTask(cluster, ref)
	if err != nil {
		return nil, nil, err
	}
	t := lookup.Task(snap, cluster, id)
	if !ok || t == nil {
		arn := ref
		if !fleet.IsARN(ref) {
			arn = s.site.TaskARN(cluster, ref)
		}
		f := refuse.Failure(arn, refuse.Missing, "")
		return nil, &f, nil
	}
	var why string
	switch {
	case !strings.HasPrefix(t.Group, "service:"):
		why = "The task does not belong to a service: only tasks of services can be protected from scale-in."
	case t.Desired() == fleet.TaskStopped:
		why = "The task is ending or has ended."
	case t.Instance == "":
		why = "The task is in PROVISIONING: it waits for a container instance and can't be protected yet."
	default:
		return t, nil, nil
	}
	f := refuse.Failure(s.site.TaskARN(cluster, id), taskNotValid, why)
	return nil, &f, nil
}

func (s *Service) protectedOut(t *fleet.TaskState, until time.Time) types.ProtectedTask {
	return types.ProtectedTask{
		TaskArn: aws.String(s.site.TaskARN(t.Cluster, t.ID)), ProtectionEnabled: !until.IsZero(), ExpirationDate: timeOrNil(until),
	}
}
