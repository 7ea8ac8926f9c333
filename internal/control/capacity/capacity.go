// Package capacity decides which capacity provider each task of a request goes
// to, and whether a capacity provider strategy may be used at all. It is data
// in, data out.
//
// The rules are ECS's: first the one provider with a base gets tasks until it
// has that many, then the rest is shared by weight. A provider of weight 0 gets
// none beyond its base.
package capacity

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The names that ECS reserves for the capacity that needs no provider of one's
// own.
const (
	Fargate     = "FARGATE"
	FargateSpot = "FARGATE_SPOT"
)

// IsFargate says whether a provider's name is one of the two that are always
// there.
func IsFargate(name string) bool { return name == Fargate || name == FargateSpot }

// Distribute names the provider of each of count further tasks, in the order in
// which they are to be placed. running holds how many tasks of the same whole (a
// service; nothing for a call of RunTask) each provider has already.
//
// The base comes first. Beyond it each task goes to the provider that is left
// farthest behind its weight, counting the tasks above its base; of equals to
// the first one in the strategy. So the shares are exact whenever the sum of the
// weights divides the number of tasks, and no provider has less than its share
// rounded down.
//
// A strategy of one provider needs no weight. Where several have none, only the
// base can be placed, and what comes back is shorter than count: Usable refuses
// such a strategy beforehand, as ECS does.
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
			// (has-base+1)/weight is the least for the one farthest behind;
			// multiplied out, it needs no fractions.
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
