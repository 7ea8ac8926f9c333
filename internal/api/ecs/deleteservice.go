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

func (s *Service) deleteServiceOperations() operations {
	return operations{
		"DeleteService": newOperation("ecs:DeleteService", func(in *sdk.DeleteServiceInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.Service))
		}),
	}
}

// DeleteService makes a service DRAINING. The scheduler stops its tasks and then
// makes it INACTIVE. A repeated call changes nothing.
func (s *Service) DeleteService(ctx context.Context, in *sdk.DeleteServiceInput) (*sdk.DeleteServiceOutput, error) {
	var next *fleet.Service
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		c, err := s.clusterTx(tx, in.Cluster)
		if err != nil {
			return err
		}
		was, err := s.serviceTx(tx, c.Name, in.Service)
		if err != nil {
			return err
		}
		if next = was; was.Status != fleet.ServiceActive {
			return nil
		}
		if was.Scheduling != types.SchedulingStrategyDaemon && was.DesiredCount > 0 && !aws.ToBool(in.Force) {
			return refuse.Invalid("The service cannot be stopped while it is scaled above 0.")
		}
		svc := *was
		svc.Status, svc.DesiredCount, svc.DeletedAt = fleet.ServiceDraining, 0, s.now()
		next = &svc
		return store.Put(tx, store.ServiceKey(c.Name, svc.Name), next)
	})
	if err != nil {
		return nil, err
	}
	out, err := s.serviceOut(s.store.Snapshot(), next, true)
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteServiceOutput{Service: &out}, nil
}
