package ecs

import (
	"context"
	"errors"
	"fmt"

	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A revision's status only moves forward: ACTIVE, INACTIVE, DELETE_IN_PROGRESS. The
// reaper then deletes the revision when no live task uses it.

const (
	noSuchRevision = "The specified task definition does not exist. Specify a valid account, family, revision and try again."
	notIdentifier  = "The specified task definition identifier is invalid. Specify a valid name or ARN and try again."
	stillActive    = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
)

// maxDeletes is how many revisions one call deletes.
const maxDeletes = 10

// resolveRevision resolves a request's name of a task definition that must include
// the revision.
func (s *Service) resolveRevision(ref string) (fleet.TaskDefinitionRef, error) {
	r, err := s.site.TaskDefinitionRef(ref)
	if err != nil {
		return r, lookup.NotFoundError(err, fmt.Sprintf("Unable to find task definition: %v.", err))
	}
	if r.Revision == 0 {
		return r, refuse.Client("Revision is missing.")
	}
	return r, nil
}

func (s *Service) taskDefinitionLifeOperations() operations {
	return operations{
		"DeregisterTaskDefinition": frontdoor.Op[sdk.DeregisterTaskDefinitionInput]("ecs:DeregisterTaskDefinition", nil),
		"DeleteTaskDefinitions": newOperation("ecs:DeleteTaskDefinitions", func(in *sdk.DeleteTaskDefinitionsInput) []string {
			var out []string
			for i := range in.TaskDefinitions {
				out = append(out, s.definitionResource(&in.TaskDefinitions[i]))
			}
			return out
		}),
	}
}

// DeregisterTaskDefinition makes a revision INACTIVE: its tasks go on, new ones are
// refused.
func (s *Service) DeregisterTaskDefinition(ctx context.Context, in *sdk.DeregisterTaskDefinitionInput) (*sdk.DeregisterTaskDefinitionOutput, error) {
	if aws.ToString(in.TaskDefinition) == "" {
		return nil, refuse.Client("Task definition can not be blank.")
	}
	ref, err := s.resolveRevision(*in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	var d *fleet.TaskDefinition
	var next *fleet.TaskDefinitionState
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if d = store.Get(tx, store.TaskDefinitionKey(ref.Family, ref.Revision)); d == nil {
			return refuse.Client(noSuchRevision)
		}
		k := store.TaskDefinitionStateKey(ref.Family, ref.Revision)
		next = &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusActive}
		if st := store.Get(tx, k); st != nil {
			*next = *st
		}
		switch next.Status {
		case types.TaskDefinitionStatusInactive:
			return nil // a repeated call changes nothing
		case types.TaskDefinitionStatusDeleteInProgress:
			return refuse.Client("The specified task definition is in DELETE_IN_PROGRESS status.")
		}
		next.Status, next.DeregisteredAt = types.TaskDefinitionStatusInactive, s.now()
		return store.Put(tx, k, next)
	})
	if err != nil {
		return nil, err
	}
	return &sdk.DeregisterTaskDefinitionOutput{TaskDefinition: s.definitionOut(d, next)}, nil
}

// DeleteTaskDefinitions makes INACTIVE revisions DELETE_IN_PROGRESS. Revisions for
// which that is not possible are failures in the answer; the others are deleted
// nevertheless.
func (s *Service) DeleteTaskDefinitions(ctx context.Context, in *sdk.DeleteTaskDefinitionsInput) (*sdk.DeleteTaskDefinitionsOutput, error) {
	switch n := len(in.TaskDefinitions); {
	case n == 0:
		return nil, refuse.Invalid("size of TaskDefinition references list must be greater than 0")
	case n > maxDeletes:
		return nil, refuse.Invalid("Size of TaskDefinition references list cannot exceed %d", maxDeletes)
	}
	var out *sdk.DeleteTaskDefinitionsOutput
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		out = &sdk.DeleteTaskDefinitionsOutput{TaskDefinitions: []types.TaskDefinition{}, Failures: []types.Failure{}}
		done := map[string]bool{}
		for _, given := range in.TaskDefinitions {
			key := s.definitionKey(given)
			if done[key] {
				continue
			}
			done[key] = true
			d, st, refused, err := s.deleteRevision(tx, given)
			if err != nil {
				return err
			}
			if refused != "" {
				out.Failures = append(out.Failures, refuse.Failure(given, refused, ""))
				continue
			}
			out.TaskDefinitions = append(out.TaskDefinitions, *s.definitionOut(d, st))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// definitionKey returns a key that is the same for all names of one revision.
func (s *Service) definitionKey(given string) string {
	ref, err := s.site.TaskDefinitionRef(given)
	if err != nil || ref.Revision == 0 {
		return given
	}
	return s.site.TaskDefinitionARN(ref.Family, ref.Revision)
}

// deleteRevision deletes one revision that a request names. refused says why it can't
// be deleted.
func (s *Service) deleteRevision(tx *store.Tx, given string) (d *fleet.TaskDefinition, st *fleet.TaskDefinitionState, refused string, err error) {
	ref, err := s.site.TaskDefinitionRef(given)
	switch {
	case err != nil && fleet.IsARN(given) && !errors.As(err, new(*fleet.RevisionError)):
		return nil, nil, noSuchRevision, nil // it belongs to another account or region
	case err != nil || ref.Revision == 0:
		return nil, nil, notIdentifier, nil
	}
	if d = store.Get(tx, store.TaskDefinitionKey(ref.Family, ref.Revision)); d == nil {
		return nil, nil, noSuchRevision, nil
	}
	k := store.TaskDefinitionStateKey(ref.Family, ref.Revision)
	st = store.Get(tx, k)
	switch lookup.DefinitionStatus(st) {
	case types.TaskDefinitionStatusActive:
		return nil, nil, stillActive, nil
	case types.TaskDefinitionStatusDeleteInProgress:
		return d, st, "", nil
	}
	next := *st
	next.Status, next.DeleteRequestedAt = types.TaskDefinitionStatusDeleteInProgress, s.now()
	return d, &next, "", store.Put(tx, k, &next)
}
