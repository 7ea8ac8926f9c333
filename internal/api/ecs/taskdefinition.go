package ecs

import (
	"context"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxRevisions is how many revisions ECS allows a family, including deleted ones.
const maxRevisions = 1_000_000

func (s *Service) taskDefinitionOperations() operations {
	return operations{
		"RegisterTaskDefinition": newOperation("ecs:RegisterTaskDefinition", func(in *sdk.RegisterTaskDefinitionInput) []string {
			return []string{s.site.TaskDefinitionFamilyARN(aws.ToString(in.Family))}
		}),
		"DescribeTaskDefinition": frontdoor.Op[sdk.DescribeTaskDefinitionInput]("ecs:DescribeTaskDefinition", nil),
	}
}

// RegisterTaskDefinition stores a family's next revision.
func (s *Service) RegisterTaskDefinition(ctx context.Context, in *sdk.RegisterTaskDefinitionInput) (*sdk.RegisterTaskDefinitionOutput, error) {
	if err := tag.Check(in.Tags); err != nil {
		return nil, err
	}
	def, compatible, err := definition.Define(in)
	if err != nil {
		return nil, err
	}
	reserve, err := definition.Reservation(def, nil)
	if err != nil {
		return nil, err
	}
	family := aws.ToString(def.Family)
	var made *fleet.TaskDefinition
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		fk := store.FamilyKey(family)
		next := fleet.Family{Name: family}
		if f := store.Get(tx, fk); f != nil {
			next = *f
		}
		if next.Latest++; next.Latest > maxRevisions {
			return refuse.Client("Family %s has had %d revisions, which is the limit: their numbers are not used again. Choose another family.", family, maxRevisions)
		}
		made = &fleet.TaskDefinition{
			Family: family, Revision: next.Latest, RegisteredAt: s.now(), RegisteredBy: frontdoor.CallerFrom(ctx).Principal.ARN,
			Definition: def, Compatibilities: compatible, RequiresAttributes: definition.RequiredAttributes(def), Reserve: reserve,
		}
		if err := store.Put(tx, fk, &next); err != nil {
			return err
		}
		if len(in.Tags) > 0 {
			st := &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusActive, Tags: in.Tags}
			if err := store.Create(tx, store.TaskDefinitionStateKey(family, next.Latest), st); err != nil {
				return err
			}
		}
		return store.Create(tx, store.TaskDefinitionKey(family, next.Latest), made)
	})
	if err != nil {
		return nil, err
	}
	return &sdk.RegisterTaskDefinitionOutput{TaskDefinition: s.definitionOut(made, nil), Tags: shape.NotNil(in.Tags)}, nil
}

// DescribeTaskDefinition describes a revision, or a family's latest ACTIVE one.
func (s *Service) DescribeTaskDefinition(ctx context.Context, in *sdk.DescribeTaskDefinitionInput) (*sdk.DescribeTaskDefinitionOutput, error) {
	if aws.ToString(in.TaskDefinition) == "" {
		return nil, refuse.Client("Task definition can not be blank.")
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	d, st, err := lookup.Definition(snap, s.site, *in.TaskDefinition)
	if err != nil {
		return nil, lookup.NotFoundError(err, "Unable to describe task definition.")
	}
	out := &sdk.DescribeTaskDefinitionOutput{TaskDefinition: s.definitionOut(d, st)}
	if len(in.Include) > 0 {
		out.Tags = []types.Tag{}
		if st != nil {
			out.Tags = shape.NotNil(st.Tags)
		}
	}
	return out, nil
}

func (s *Service) definitionOut(d *fleet.TaskDefinition, st *fleet.TaskDefinitionState) *types.TaskDefinition {
	in := d.Definition
	out := &types.TaskDefinition{
		TaskDefinitionArn: aws.String(s.site.TaskDefinitionARN(d.Family, d.Revision)),
		Family:            aws.String(d.Family), Revision: int32(d.Revision), Status: lookup.DefinitionStatus(st),
		ContainerDefinitions: shape.NotNil(in.ContainerDefinitions), Cpu: in.Cpu, Memory: in.Memory,
		EnableFaultInjection: in.EnableFaultInjection, EphemeralStorage: in.EphemeralStorage,
		ExecutionRoleArn: in.ExecutionRoleArn, TaskRoleArn: in.TaskRoleArn, InferenceAccelerators: in.InferenceAccelerators,
		IpcMode: in.IpcMode, PidMode: in.PidMode, NetworkMode: in.NetworkMode,
		PlacementConstraints: shape.NotNil(in.PlacementConstraints), ProxyConfiguration: in.ProxyConfiguration,
		RequiresCompatibilities: in.RequiresCompatibilities, RuntimePlatform: in.RuntimePlatform, Volumes: shape.NotNil(in.Volumes),
		Compatibilities: d.Compatibilities, RequiresAttributes: d.RequiresAttributes, // absent where there are none
		RegisteredAt: aws.Time(d.RegisteredAt),
	}
	if d.RegisteredBy != "" {
		out.RegisteredBy = aws.String(d.RegisteredBy)
	}
	if st != nil && !st.DeregisteredAt.IsZero() {
		out.DeregisteredAt = aws.Time(st.DeregisteredAt)
	}
	if st != nil && !st.DeleteRequestedAt.IsZero() {
		out.DeleteRequestedAt = aws.Time(st.DeleteRequestedAt)
	}
	return out
}
