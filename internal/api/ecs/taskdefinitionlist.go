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

// ListTaskDefinitions lists the ARNs of revisions, by family and number. With the
// sort order DESC it lists them in reverse. familyPrefix is the full name of one
// family, as in ECS.
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

// parsePosition parses the key in a token of ListTaskDefinitions; "" is the
// beginning.
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

// ListTaskDefinitionFamilies lists families. An ACTIVE family has an ACTIVE revision,
// an INACTIVE one has only others. A family whose revisions are all deleted is not
// listed; its revision numbers are not used again.
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
