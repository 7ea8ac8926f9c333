package capacity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The bounds of a strategy, from the API reference.
const (
	MaxProviders = 20
	MaxWeight    = 1000
	MaxBase      = 100_000
)

// Error is a rule that a strategy violates. Its text is for the caller of the API,
// which gets it as an InvalidParameterException.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func newError(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Check checks a strategy by the rules that always apply. field is the request's name
// for it. associated are the providers of the cluster in which it will be used: a
// strategy may name no others.
func Check(field string, strategy []types.CapacityProviderStrategyItem, associated []string) error {
	if len(strategy) > MaxProviders {
		return newError("%s: a strategy may contain at most %d capacity providers, not %d.", field, MaxProviders, len(strategy))
	}
	var fargate, own, base string
	seen := make(map[string]bool, len(strategy))
	for i, s := range strategy {
		at := fmt.Sprintf("%s[%d]", field, i)
		name := aws.ToString(s.CapacityProvider)
		switch {
		case name == "":
			return newError("%s.capacityProvider: the capacity provider can not be blank.", at)
		case seen[name]:
			return newError("%s.capacityProvider: %q is named twice; a strategy may name a capacity provider once.", at, name)
		case s.Weight < 0 || s.Weight > MaxWeight:
			return newError("%s.weight: the weight of %q must be between 0 and %d, not %d.", at, name, MaxWeight, s.Weight)
		case s.Base < 0 || s.Base > MaxBase:
			return newError("%s.base: the base of %q must be between 0 and %d, not %d.", at, name, MaxBase, s.Base)
		case s.Base > 0 && base != "":
			return newError("%s.base: only one capacity provider in a strategy can have a base, and both %q and %q have one.", at, base, name)
		}
		seen[name] = true
		if s.Base > 0 {
			base = name
		}
		if IsFargate(name) {
			fargate = name
		} else {
			own = name
		}
		if fargate != "" && own != "" {
			return newError("%s: a strategy may contain either Fargate capacity providers (%s) or others (%s), but not both.", field, fargate, own)
		}
	}
	for i, s := range strategy {
		if name := *s.CapacityProvider; !slices.Contains(associated, name) {
			return newError("The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster and try again. (%s[%d].capacityProvider: %s; associated: %s)",
				field, i, name, listed(associated))
		}
	}
	return nil
}

// Usable checks in addition that tasks can be placed by a strategy. A default
// strategy without weights may be stored, but not used.
func Usable(field string, strategy []types.CapacityProviderStrategyItem) error {
	if len(strategy) < 2 || slices.ContainsFunc(strategy, func(s types.CapacityProviderStrategyItem) bool { return s.Weight > 0 }) {
		return nil
	}
	return newError("%s: when a strategy names multiple capacity providers, at least one of them must have a weight greater than 0.", field)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
