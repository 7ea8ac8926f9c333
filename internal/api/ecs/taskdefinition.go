package ecs

import (
	"context"
	"fmt"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxDefinition is ECS's limit of a task definition's size in bytes.
const maxDefinition = 64 << 10

// maxRevisions is how many revisions ECS lets a family have, gone ones included.
const maxRevisions = 1_000_000

// RegisterTaskDefinition stores a family's next revision.
func (s *Service) RegisterTaskDefinition(ctx context.Context, in *sdk.RegisterTaskDefinitionInput) (*sdk.RegisterTaskDefinitionOutput, error) {
	if err := validTags(in.Tags); err != nil {
		return nil, err
	}
	def, compatible, err := define(in)
	if err != nil {
		return nil, err
	}
	reserve, err := reservation(def, nil)
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
			return client("Family %s has had %d revisions, which is the limit: their numbers are not used again. Choose another family.", family, maxRevisions)
		}
		made = &fleet.TaskDefinition{
			Family: family, Revision: next.Latest, RegisteredAt: s.now(), RegisteredBy: frontdoor.CallerFrom(ctx).Principal.ARN,
			Definition: def, Compatibilities: compatible, RequiresAttributes: requiredAttributes(def), Reserve: reserve,
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
	return &sdk.RegisterTaskDefinitionOutput{TaskDefinition: s.definitionOut(made, nil), Tags: orEmpty(in.Tags)}, nil
}

// define checks what is to be registered. It returns it as it is stored, with
// the launch types that it suits.
func define(in *sdk.RegisterTaskDefinitionInput) (*sdk.RegisterTaskDefinitionInput, []types.Compatibility, error) {
	def := *in
	def.Tags = nil
	normalize(&def)
	if err := validDefinition(&def); err != nil {
		return nil, nil, err
	}
	size, err := awsjson.Marshal(&def)
	if err != nil {
		return nil, nil, err
	}
	if len(size) > maxDefinition {
		return nil, nil, client("Actual length: '%d'. Max allowed length is '%d' bytes.", len(size), maxDefinition)
	}
	compatible, err := compatibilities(&def)
	if err != nil {
		return nil, nil, err
	}
	return &def, compatible, nil
}

// DescribeTaskDefinition describes a revision, or a family's latest ACTIVE one.
func (s *Service) DescribeTaskDefinition(ctx context.Context, in *sdk.DescribeTaskDefinitionInput) (*sdk.DescribeTaskDefinitionOutput, error) {
	if aws.ToString(in.TaskDefinition) == "" {
		return nil, client("Task definition can not be blank.")
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	d, st, err := s.definition(snap, *in.TaskDefinition)
	if err != nil {
		return nil, noDefinition(err, "Unable to describe task definition.")
	}
	out := &sdk.DescribeTaskDefinitionOutput{TaskDefinition: s.definitionOut(d, st)}
	if len(in.Include) > 0 {
		out.Tags = []types.Tag{}
		if st != nil {
			out.Tags = orEmpty(st.Tags)
		}
	}
	return out, nil
}

// definition finds what a request calls a task definition.
func (s *Service) definition(snap *store.Snapshot, ref string) (*fleet.TaskDefinition, *fleet.TaskDefinitionState, error) {
	r, err := s.site.TaskDefinitionRef(ref)
	if err != nil {
		return nil, nil, err
	}
	if r.Revision > 0 {
		d, st := snap.TaskDefinition(r.Family, r.Revision)
		if d == nil {
			if err := store.Readable(snap, store.TaskDefinitionKey(r.Family, r.Revision)); err != nil {
				return nil, nil, err
			}
			return nil, nil, fmt.Errorf("task definition %s:%d does not exist", r.Family, r.Revision)
		}
		return d, st, nil
	}
	// The latest may be one that can't be read.
	if err := snap.AllReadable(store.FamilyMembers(r.Family)); err != nil {
		return nil, nil, err
	}
	if d, st := snap.LatestRevision(r.Family); d != nil {
		return d, st, nil
	}
	if snap.Family(r.Family) == nil {
		return nil, nil, fmt.Errorf("task definition family %s does not exist", r.Family)
	}
	return nil, nil, fmt.Errorf("task definition family %s has no ACTIVE revision", r.Family)
}

func definitionStatus(st *fleet.TaskDefinitionState) types.TaskDefinitionStatus {
	if st == nil {
		return types.TaskDefinitionStatusActive
	}
	return st.Status
}

func (s *Service) definitionOut(d *fleet.TaskDefinition, st *fleet.TaskDefinitionState) *types.TaskDefinition {
	in := d.Definition
	out := &types.TaskDefinition{
		TaskDefinitionArn: aws.String(s.site.TaskDefinitionARN(d.Family, d.Revision)),
		Family:            aws.String(d.Family), Revision: int32(d.Revision), Status: definitionStatus(st),
		ContainerDefinitions: orEmpty(in.ContainerDefinitions), Cpu: in.Cpu, Memory: in.Memory,
		EnableFaultInjection: in.EnableFaultInjection, EphemeralStorage: in.EphemeralStorage,
		ExecutionRoleArn: in.ExecutionRoleArn, TaskRoleArn: in.TaskRoleArn, InferenceAccelerators: in.InferenceAccelerators,
		IpcMode: in.IpcMode, PidMode: in.PidMode, NetworkMode: in.NetworkMode,
		PlacementConstraints: orEmpty(in.PlacementConstraints), ProxyConfiguration: in.ProxyConfiguration,
		RequiresCompatibilities: in.RequiresCompatibilities, RuntimePlatform: in.RuntimePlatform, Volumes: orEmpty(in.Volumes),
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
