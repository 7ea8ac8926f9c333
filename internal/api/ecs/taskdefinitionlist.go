package ecs

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) taskDefinitionListOperations() operations {
	return operations{
		"ListTaskDefinitions":        frontdoor.Op[sdk.ListTaskDefinitionsInput]("ecs:ListTaskDefinitions", nil),
		"ListTaskDefinitionFamilies": frontdoor.Op[sdk.ListTaskDefinitionFamiliesInput]("ecs:ListTaskDefinitionFamilies", nil),
	}
}

// ListTaskDefinitions lists the ARNs of revisions, by family and number; with
// the sort DESC the other way round, the newest of each family first.
// familyPrefix is the whole name of one family, as in ECS.
func (s *Service) ListTaskDefinitions(ctx context.Context, in *sdk.ListTaskDefinitionsInput) (*sdk.ListTaskDefinitionsOutput, error) {
	status := cmp.Or(in.Status, types.TaskDefinitionStatusActive)
	family := aws.ToString(in.FamilyPrefix)
	p, err := parsePage(in.MaxResults, in.NextToken, "ListTaskDefinitions", family, string(status), string(in.Sort))
	if err != nil {
		return nil, err
	}
	from, err := parsePosition(p.after)
	if err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	revisions := snap.Revisions(status, family, from)
	if in.Sort == types.SortOrderDesc {
		revisions = snap.RevisionsDescending(status, family, from)
	}
	list := p.newCollector()
	for r := range revisions {
		if !list.add(r.Family+":"+strconv.Itoa(r.Revision), s.site.TaskDefinitionARN(r.Family, r.Revision)) {
			break
		}
	}
	return &sdk.ListTaskDefinitionsOutput{TaskDefinitionArns: list.items, NextToken: list.next}, nil
}

// position reads the key in a token of ListTaskDefinitions; "" is none.
func parsePosition(key string) (fleet.TaskDefinitionRef, error) {
	if key == "" {
		return fleet.TaskDefinitionRef{}, nil
	}
	family, revision, _ := strings.Cut(key, ":")
	n, err := strconv.Atoi(revision)
	if err != nil || n < 1 || !fleet.ValidName(family) {
		return fleet.TaskDefinitionRef{}, refuse.Invalid("Invalid token: nextToken is not one that this operation gave for these parameters.")
	}
	return fleet.TaskDefinitionRef{Family: family, Revision: n}, nil
}

// ListTaskDefinitionFamilies lists families: ACTIVE ones have an ACTIVE
// revision, INACTIVE ones others only. A family of which all revisions are gone
// is not listed; its name keeps counting.
func (s *Service) ListTaskDefinitionFamilies(ctx context.Context, in *sdk.ListTaskDefinitionFamiliesInput) (*sdk.ListTaskDefinitionFamiliesOutput, error) {
	status := cmp.Or(in.Status, types.TaskDefinitionFamilyStatusAll) // as the API reference has it
	prefix := aws.ToString(in.FamilyPrefix)
	p, err := parsePage(in.MaxResults, in.NextToken, "ListTaskDefinitionFamilies", prefix, string(status))
	if err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	list := p.newCollector()
	for name := range snap.FamiliesOf(status, prefix, p.after) {
		if !list.add(name, name) {
			break
		}
	}
	return &sdk.ListTaskDefinitionFamiliesOutput{Families: list.items, NextToken: list.next}, nil
}
