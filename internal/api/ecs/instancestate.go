package ecs

import (
	"context"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	instanceNotFound = "The referenced container instance was not found."
	stateText        = "Container instance status should be one of [ACTIVE,DRAINING]"
)

func (s *Service) instanceStateOperations() operations {
	return operations{
		"UpdateContainerInstancesState": newOperation("ecs:UpdateContainerInstancesState", func(in *sdk.UpdateContainerInstancesStateInput) []string {
			return s.memberResources("container-instance", in.Cluster, in.ContainerInstances...)
		}),
		"UpdateContainerAgent": newOperation("ecs:UpdateContainerAgent", func(in *sdk.UpdateContainerAgentInput) []string {
			return s.memberResources("container-instance", in.Cluster, aws.ToString(in.ContainerInstance))
		}),
		"SubmitAttachmentStateChanges": newOperation("ecs:SubmitAttachmentStateChanges", func(in *sdk.SubmitAttachmentStateChangesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
	}
}

// UpdateContainerInstancesState drains up to ten container instances or makes them
// ACTIVE again. Tasks on a draining instance go on; no new ones are placed there.
func (s *Service) UpdateContainerInstancesState(ctx context.Context, in *sdk.UpdateContainerInstancesStateInput) (*sdk.UpdateContainerInstancesStateOutput, error) {
	switch {
	case len(in.ContainerInstances) == 0:
		return nil, refuse.NoInstances()
	case len(in.ContainerInstances) > 10:
		return nil, refuse.Invalid("Container instances cannot exceed 10 elements.")
	case in.Status != types.ContainerInstanceStatusActive && in.Status != types.ContainerInstanceStatusDraining:
		return nil, refuse.Invalid(stateText)
	}
	want := fleet.InstanceStatus(in.Status)
	var changed []*fleet.Instance
	var failures []types.Failure
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		changed, failures = nil, []types.Failure{}
		c, err := s.clusterTx(tx, in.Cluster)
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, ref := range in.ContainerInstances {
			_, id, ok := s.resolveMember("container-instance", &c.Name, ref)
			if ok && seen[id] {
				continue
			}
			i := store.Get(tx, store.InstanceKey(c.Name, id))
			if !ok || i == nil {
				failures = append(failures, refuse.Failure(s.instanceARN(c.Name, ref), refuse.Missing, ""))
				continue
			}
			seen[id] = true
			if i.Status != fleet.InstanceActive && i.Status != fleet.InstanceDraining {
				failures = append(failures, refuse.Failure(s.instanceARN(c.Name, ref), string(i.Status),
					"The status of the container instance is "+string(i.Status)+"; only from ACTIVE and DRAINING it can be changed."))
				continue
			}
			if i.Status != want {
				// A transaction that places tasks there must not decide by the old status.
				if err := tx.Claim(store.HostGuard(c.Name, id)); err != nil {
					return err
				}
				next := *i
				next.Status, next.StatusReason = want, ""
				next.Version++
				if err := store.Put(tx, store.InstanceKey(c.Name, id), &next); err != nil {
					return err
				}
				i = &next
			}
			changed = append(changed, i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	snap := s.store.Snapshot()
	out := &sdk.UpdateContainerInstancesStateOutput{ContainerInstances: []types.ContainerInstance{}, Failures: failures}
	for _, i := range changed {
		out.ContainerInstances = append(out.ContainerInstances, s.instanceOut(snap, i, instanceFields{tags: true}))
	}
	return out, nil
}

// instanceARN returns the ARN for a request's name of a container instance, which
// need not exist.
func (s *Service) instanceARN(cluster, ref string) string {
	if fleet.IsARN(ref) {
		return ref
	}
	return s.site.InstanceARN(cluster, ref)
}

// UpdateContainerAgent starts no update: an agent is the binary that the host's owner
// has installed, and this installation has no other to send.
func (s *Service) UpdateContainerAgent(ctx context.Context, in *sdk.UpdateContainerAgentInput) (*sdk.UpdateContainerAgentOutput, error) {
	if aws.ToString(in.ContainerInstance) == "" {
		return nil, refuse.Invalid("Container instance can not be blank.")
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	_, id, ok := s.resolveMember("container-instance", &c.Name, *in.ContainerInstance)
	i := snap.Instance(c.Name, id)
	if !ok || i == nil || i.Status == fleet.InstanceInactive {
		return nil, refuse.Invalid(instanceNotFound)
	}
	runs := i.Runs(snap.Session(c.Name, id))
	if runs.Agent == "" {
		return nil, &types.MissingVersionException{Message: refuse.Text("The version of the agent on the container instance %s is not known: the agent has not connected yet, or it doesn't tell.", s.site.InstanceARN(c.Name, id))}
	}
	return nil, &types.NoUpdateAvailableException{Message: refuse.Text("There is no update available for your container agent. It has version %s; to update it, install another ashore on its host and start it again: its tasks go on.", runs.Agent)}
}

// SubmitAttachmentStateChanges knows no attachments: no task of this installation has
// one.
func (s *Service) SubmitAttachmentStateChanges(ctx context.Context, in *sdk.SubmitAttachmentStateChangesInput) (*sdk.SubmitAttachmentStateChangesOutput, error) {
	if _, _, err := s.readCluster(ctx, in.Cluster); err != nil {
		return nil, err
	}
	if len(in.Attachments) > 0 {
		arn := aws.ToString(in.Attachments[0].AttachmentArn)
		if arn == "" {
			return nil, refuse.Invalid("attachments[0].attachmentArn can not be blank.")
		}
		return nil, refuse.Invalid("attachments[0].attachmentArn: the attachment %s is not known.", arn)
	}
	return &sdk.SubmitAttachmentStateChangesOutput{Acknowledgment: aws.String(acknowledged)}, nil
}
