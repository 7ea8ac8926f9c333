// Package capacity decides which capacity provider each task of a request goes to,
// and whether a capacity provider strategy may be used at all. It is data in, data
// out.
//
// The rules are ECS's. First the one provider with a base gets tasks until it has
// that many. The other tasks are divided by weight. A provider of weight 0 gets none
// beyond its base.
package capacity

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The names of the capacity providers that ECS itself offers.
const (
	Fargate     = "FARGATE"
	FargateSpot = "FARGATE_SPOT"
)

// IsFargate reports whether a provider's name is one of the two that always exist.
func IsFargate(name string) bool { return name == Fargate || name == FargateSpot }

// Distribute returns the names of the providers of count further tasks, in the order
// in which the tasks are to be placed. running is how many tasks of the same service
// each provider already has; it is empty for a call of RunTask.
//
// The base comes first. Beyond it each task goes to the provider that is farthest
// behind its weight, counting its tasks above its base. Of equal ones it goes to the
// first in the strategy. So the shares are exact if the sum of the weights divides
// the number of tasks, and no provider has less than its share rounded down.
//
// A strategy of one provider needs no weight. If several providers have none, only
// the base can be placed, and the result is shorter than count. Usable refuses such a
// strategy beforehand, as ECS does.
func Distribute(strategy []types.CapacityProviderStrategyItem, running map[string]int, count int) []string {
	type provider struct {
		name         string
		base, weight int64
		has          int64
	}
	providers := make([]provider, len(strategy))
	for i, s := range strategy {
		name := aws.ToString(s.CapacityProvider)
		providers[i] = provider{name, int64(s.Base), int64(s.Weight), int64(running[name])}
	}
	if len(providers) == 1 && providers[0].weight == 0 {
		providers[0].weight = 1
	}
	next := func() *provider {
		var best *provider
		for i := range providers {
			p := &providers[i]
			if p.has < p.base {
				return p
			}
			if p.weight == 0 {
				continue
			}
			// (has-base+1)/weight is lowest for the provider that is farthest behind.
			// Multiplication by both weights avoids fractions.
			if best == nil || (p.has-p.base+1)*best.weight < (best.has-best.base+1)*p.weight {
				best = p
			}
		}
		return best
	}
	out := make([]string, 0, max(count, 0))
	for range count {
		p := next()
		if p == nil {
			break
		}
		p.has++
		out = append(out, p.name)
	}
	return out
}
