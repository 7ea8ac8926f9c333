package placer

import (
	"strings"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxStrategies is how many placement strategies a task or service can have.
const maxStrategies = 5

const attributePrefix = "attribute:"

// compileStrategies checks placement strategies and converts them for placement.
func compileStrategies(in []types.PlacementStrategy) ([]placement.Strategy, error) {
	if len(in) > maxStrategies {
		return nil, refuse.Invalid("placementStrategy can have at most %d entries, not %d.", maxStrategies, len(in))
	}
	var out []placement.Strategy
	for i, s := range in {
		var next placement.Strategy
		field := aws.ToString(s.Field)
		switch s.Type {
		case types.PlacementStrategyTypeRandom:
			next.Kind = placement.Random // ECS does not use its field
		case types.PlacementStrategyTypeBinpack:
			switch {
			case strings.EqualFold(field, "cpu"):
				next.Kind = placement.BinpackCPU
			case strings.EqualFold(field, "memory"):
				next.Kind = placement.BinpackMemory
			default:
				return nil, refuse.Invalid("placementStrategy[%d].field must be cpu or memory with the type binpack, not %q.", i, field)
			}
		case types.PlacementStrategyTypeSpread:
			name, attribute := strings.CutPrefix(field, attributePrefix)
			switch {
			case strings.EqualFold(field, "instanceId"), strings.EqualFold(field, "host"):
				next.Kind = placement.SpreadHosts
			case attribute && fleet.ValidAttributeName(name):
				next = placement.Strategy{Kind: placement.SpreadAttribute, Attribute: name}
			default:
				return nil, refuse.Invalid("placementStrategy[%d].field must be instanceId, host or attribute:NAME with the type spread, not %q.", i, field)
			}
		default:
			return nil, refuse.Invalid("placementStrategy[%d].type must be random, spread or binpack, not %q.", i, s.Type)
		}
		out = append(out, next)
	}
	return out, nil
}

// NormalStrategies returns placement strategies as ECS shows them for a service: host
// becomes instanceId, and the field of binpack is in capitals.
func NormalStrategies(in []types.PlacementStrategy) []types.PlacementStrategy {
	var out []types.PlacementStrategy
	for _, s := range in {
		field := aws.ToString(s.Field)
		switch s.Type {
		case types.PlacementStrategyTypeRandom:
			s.Field = nil
		case types.PlacementStrategyTypeBinpack:
			s.Field = aws.String(strings.ToUpper(field))
		case types.PlacementStrategyTypeSpread:
			if !strings.HasPrefix(field, attributePrefix) {
				s.Field = aws.String("instanceId")
			}
		}
		out = append(out, s)
	}
	return out
}

// defaultStrategies apply to a service that names none: ECS's scheduler prefers the
// zone with the fewest of the service's tasks, and there the container instance with
// the fewest (API reference, UpdateService). All hosts without a zone count as one
// zone.
var defaultStrategies = []types.PlacementStrategy{
	{Type: types.PlacementStrategyTypeSpread, Field: aws.String(attributePrefix + "ecs.availability-zone")},
	{Type: types.PlacementStrategyTypeSpread, Field: aws.String("instanceId")},
}

// CheckPlacement checks the placement constraints and strategies of a service.
func CheckPlacement(constraints []types.PlacementConstraint, strategies []types.PlacementStrategy) error {
	if _, err := compileConstraints(constraints); err != nil {
		return err
	}
	_, err := compileStrategies(strategies)
	return err
}
