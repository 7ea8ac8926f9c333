package ecs

import (
	"errors"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/capacity"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxProviders is how many capacity providers a cluster can have.
const maxProviders = 20

// checkStrategy checks a capacity provider strategy that is to be used in a
// cluster with these providers.
func checkStrategy(field string, strategy []types.CapacityProviderStrategyItem, associated []string) error {
	err := capacity.Check(field, strategy, associated)
	if rule, ok := errors.AsType[*capacity.Error](err); ok {
		return invalid("%s", rule.Message)
	}
	return err
}

// association is what a request makes of a cluster's capacity providers.
type association struct {
	providers []string
	strategy  []types.CapacityProviderStrategyItem
}

// associate resolves the providers that a cluster is to have and the strategy
// over them. A provider that was not the cluster's before is written unchanged:
// its deletion, which looks for the clusters that have it, then can't commit at
// the same time.
func (s *Service) associate(tx *store.Tx, cluster string, had, refs []string, strategy []types.CapacityProviderStrategyItem) (association, error) {
	var a association
	for i, ref := range refs {
		name, ok := s.site.CapacityProviderName(ref)
		switch {
		case !ok:
			return a, invalid("The specified capacity provider was not found. Specify a valid capacity provider and try again. (capacityProviders[%d]: %q)", i, ref)
		case slices.Contains(a.providers, name):
			return a, invalid("capacityProviders[%d]: %q is named twice; a cluster has a capacity provider once.", i, name)
		}
		a.providers = append(a.providers, name)
		if capacity.IsFargate(name) {
			continue
		}
		k := store.CapacityProviderKey(name)
		p := store.Get(tx, k)
		switch {
		case p == nil || p.Status == types.CapacityProviderStatusInactive:
			return a, invalid("The specified capacity provider was not found. Specify a valid capacity provider and try again. (capacityProviders[%d]: %q)", i, ref)
		case p.Cluster != "" && p.Cluster != cluster:
			return a, invalid("capacityProviders[%d]: %q is a capacity provider of cluster %s alone.", i, name, p.Cluster)
		}
		if !slices.Contains(had, name) {
			if err := store.Put(tx, k, p); err != nil {
				return a, err
			}
		}
	}
	if len(a.providers) > maxProviders {
		return a, invalid("The maximum number of capacity providers per cluster has been exceeded. (capacityProviders: %d, at most %d)", len(a.providers), maxProviders)
	}
	for i, item := range strategy {
		if name, ok := s.site.CapacityProviderName(aws.ToString(item.CapacityProvider)); ok {
			strategy[i].CapacityProvider = aws.String(name)
		}
	}
	a.strategy = strategy
	return a, checkStrategy("defaultCapacityProviderStrategy", a.strategy, a.providers)
}

// scoped are the providers that belong to a cluster alone: they are associated
// with it for as long as they are there.
func scoped(snap *store.Snapshot, c *fleet.Cluster) []string {
	var out []string
	for _, name := range c.CapacityProviders {
		if p := snap.CapacityProvider(name); p != nil && p.Cluster == c.Name {
			out = append(out, name)
		}
	}
	return out
}

// dropped checks that nothing needs the providers that a cluster is to lose.
func dropped(tx *store.Tx, c *fleet.Cluster, keep []string) error {
	var inUse []string
	watched := false
	for _, name := range c.CapacityProviders {
		if slices.Contains(keep, name) {
			continue
		}
		if !watched {
			// No task may have come to it since this snapshot.
			tx.Unchanged(store.ClusterMembers(c.Name))
			watched = true
		}
		if tx.Snapshot().ProviderTasks(c.Name, name) > 0 {
			inUse = append(inUse, name)
		}
	}
	if len(inUse) > 0 {
		return &types.ResourceInUseException{Message: aws.String("The specified capacity provider is in use and cannot be removed. (capacityProviders: tasks use " + strings.Join(inUse, ", ") + ")")}
	}
	return nil
}
