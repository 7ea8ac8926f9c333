package ecs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/aws/json11"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxDefinition is ECS's limit of a task definition's size in bytes.
const maxDefinition = 64 << 10

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
		next.Latest++
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
	size, err := json11.Marshal(&def)
	if err != nil {
		return nil, nil, err
	}
	if len(size) > maxDefinition {
		return nil, nil, client("The task definition has %d bytes; its size can't exceed %d.", len(size), maxDefinition)
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
	for _, f := range in.Include {
		if f != types.TaskDefinitionFieldTags {
			return nil, invalid("include: %q is unknown; it must be TAGS.", f)
		}
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	d, st, err := s.definition(snap, *in.TaskDefinition)
	if err != nil {
		return nil, client("Unable to describe task definition.")
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

// DeregisterTaskDefinition makes a revision INACTIVE: tasks that run keep
// running, new ones are refused.
func (s *Service) DeregisterTaskDefinition(ctx context.Context, in *sdk.DeregisterTaskDefinitionInput) (*sdk.DeregisterTaskDefinitionOutput, error) {
	if aws.ToString(in.TaskDefinition) == "" {
		return nil, client("Task definition can not be blank.")
	}
	ref, err := s.site.TaskDefinitionRef(*in.TaskDefinition)
	if err != nil {
		return nil, client("Unable to find task definition: %v.", err)
	}
	if ref.Revision == 0 {
		return nil, invalid("Invalid revision: %q names no revision; say which, as %s:1.", *in.TaskDefinition, ref.Family)
	}
	var d *fleet.TaskDefinition
	var next *fleet.TaskDefinitionState
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if d = store.Get(tx, store.TaskDefinitionKey(ref.Family, ref.Revision)); d == nil {
			return client("The specified task definition does not exist. Specify a valid family, family:revision or ARN.")
		}
		k := store.TaskDefinitionStateKey(ref.Family, ref.Revision)
		next = &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusActive}
		if st := store.Get(tx, k); st != nil {
			*next = *st
		}
		if next.Status != types.TaskDefinitionStatusActive {
			return nil
		}
		next.Status, next.DeregisteredAt = types.TaskDefinitionStatusInactive, s.now()
		return store.Put(tx, k, next)
	})
	if err != nil {
		return nil, err
	}
	return &sdk.DeregisterTaskDefinitionOutput{TaskDefinition: s.definitionOut(d, next)}, nil
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
			return nil, nil, fmt.Errorf("task definition %s:%d does not exist", r.Family, r.Revision)
		}
		return d, st, nil
	}
	f := snap.Family(r.Family)
	if f == nil {
		return nil, nil, fmt.Errorf("task definition family %s does not exist", r.Family)
	}
	for rev := f.Latest; rev > 0; rev-- {
		if d, st := snap.TaskDefinition(r.Family, rev); d != nil && definitionStatus(st) == types.TaskDefinitionStatusActive {
			return d, st, nil
		}
	}
	return nil, nil, fmt.Errorf("task definition family %s has no ACTIVE revision", r.Family)
}

func definitionStatus(st *fleet.TaskDefinitionState) types.TaskDefinitionStatus {
	if st == nil {
		return types.TaskDefinitionStatusActive
	}
	return st.Status
}

// ListTaskDefinitions lists the ARNs of revisions, by family and number.
func (s *Service) ListTaskDefinitions(ctx context.Context, in *sdk.ListTaskDefinitionsInput) (*sdk.ListTaskDefinitionsOutput, error) {
	status := in.Status
	switch status {
	case "":
		status = types.TaskDefinitionStatusActive
	case types.TaskDefinitionStatusActive, types.TaskDefinitionStatusInactive, types.TaskDefinitionStatusDeleteInProgress:
	default:
		return nil, invalid("status must be ACTIVE, INACTIVE or DELETE_IN_PROGRESS, not %q.", status)
	}
	if in.Sort != "" && in.Sort != types.SortOrderAsc && in.Sort != types.SortOrderDesc {
		return nil, invalid("sort must be ASC or DESC, not %q.", in.Sort)
	}
	family := aws.ToString(in.FamilyPrefix)
	p, err := pageOf(in.MaxResults, in.NextToken, "ListTaskDefinitions", family, string(status), string(in.Sort))
	if err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	// DESC turns the whole order round: families from Z to A, newest first.
	keys := []string{}
	refs := map[string]string{}
	for name := range snap.Families("") {
		if family != "" && name != family {
			continue
		}
		for d := range snap.TaskDefinitions(name) {
			_, st := snap.TaskDefinition(d.Family, d.Revision)
			if definitionStatus(st) != status {
				continue
			}
			k := fmt.Sprintf("%s\x00%08d", d.Family, d.Revision)
			keys = append(keys, k)
			refs[k] = s.site.TaskDefinitionARN(d.Family, d.Revision)
		}
	}
	past := func(k string) bool { return k > p.after }
	if in.Sort == types.SortOrderDesc {
		slices.Reverse(keys)
		past = func(k string) bool { return k < p.after }
	}
	list := p.taker()
	for _, k := range keys {
		if (p.after == "" || past(k)) && !list.add(k, refs[k]) {
			break
		}
	}
	return &sdk.ListTaskDefinitionsOutput{TaskDefinitionArns: list.items, NextToken: list.next}, nil
}

// ListTaskDefinitionFamilies lists families: ACTIVE ones have an ACTIVE revision.
func (s *Service) ListTaskDefinitionFamilies(ctx context.Context, in *sdk.ListTaskDefinitionFamiliesInput) (*sdk.ListTaskDefinitionFamiliesOutput, error) {
	status := in.Status
	switch status {
	case "":
		status = types.TaskDefinitionFamilyStatusAll // as the API reference has it
	case types.TaskDefinitionFamilyStatusActive, types.TaskDefinitionFamilyStatusInactive, types.TaskDefinitionFamilyStatusAll:
	default:
		return nil, invalid("status must be ACTIVE, INACTIVE or ALL, not %q.", status)
	}
	prefix := aws.ToString(in.FamilyPrefix)
	p, err := pageOf(in.MaxResults, in.NextToken, "ListTaskDefinitionFamilies", prefix, string(status))
	if err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	list := p.taker()
	for name := range snap.Families(p.after) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if status != types.TaskDefinitionFamilyStatusAll {
			_, _, none := s.definition(snap, name)
			if (none == nil) != (status == types.TaskDefinitionFamilyStatusActive) {
				continue
			}
		}
		if !list.add(name, name) {
			break
		}
	}
	return &sdk.ListTaskDefinitionFamiliesOutput{Families: list.items, NextToken: list.next}, nil
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
		Compatibilities: d.Compatibilities, RequiresAttributes: orEmpty(d.RequiresAttributes),
		RegisteredAt: aws.Time(d.RegisteredAt),
	}
	if d.RegisteredBy != "" {
		out.RegisteredBy = aws.String(d.RegisteredBy)
	}
	if st != nil && !st.DeregisteredAt.IsZero() {
		out.DeregisteredAt = aws.Time(st.DeregisteredAt)
	}
	return out
}
