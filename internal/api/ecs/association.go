package ecs

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/capacity"
	"github.com/ashore/ashore/internal/ecs/refuse"
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
		return refuse.Invalid("%s", rule.Message)
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
func (s *Service) resolveAssociation(tx *store.Tx, cluster string, had, refs []string, strategy []types.CapacityProviderStrategyItem) (association, error) {
	var a association
	for i, ref := range refs {
		name, ok := s.site.CapacityProviderName(ref)
		switch {
		case !ok:
			return a, refuse.Invalid("The specified capacity provider was not found. Specify a valid capacity provider and try again. (capacityProviders[%d]: %q)", i, ref)
		case slices.Contains(a.providers, name):
			return a, refuse.Invalid("capacityProviders[%d]: %q is named twice; a cluster has a capacity provider once.", i, name)
		}
		a.providers = append(a.providers, name)
		if capacity.IsFargate(name) {
			continue
		}
		k := store.CapacityProviderKey(name)
		p := store.Get(tx, k)
		switch {
		case p == nil || p.Status == types.CapacityProviderStatusInactive:
			return a, refuse.Invalid("The specified capacity provider was not found. Specify a valid capacity provider and try again. (capacityProviders[%d]: %q)", i, ref)
		case p.Cluster != "" && p.Cluster != cluster:
			return a, refuse.Invalid("capacityProviders[%d]: %q is a capacity provider of cluster %s alone.", i, name, p.Cluster)
		}
		if !slices.Contains(had, name) {
			if err := store.Put(tx, k, p); err != nil {
				return a, err
			}
		}
	}
	if len(a.providers) > maxProviders {
		return a, refuse.Invalid("The maximum number of capacity providers per cluster has been exceeded. (capacityProviders: %d, at most %d)", len(a.providers), maxProviders)
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
func clusterScoped(snap *store.Snapshot, c *fleet.Cluster) []string {
	var out []string
	for _, name := range c.CapacityProviders {
		if p := snap.CapacityProvider(name); p != nil && p.Cluster == c.Name {
			out = append(out, name)
		}
	}
	return out
}

// inUse names those of a cluster's providers that it is to lose, or has lost, and
// that tasks use.
func usedProviders(snap *store.Snapshot, c *fleet.Cluster, keep []string) []string {
	var out []string
	for _, name := range c.CapacityProviders {
		if !slices.Contains(keep, name) && snap.ProviderTasks(c.Name, name) > 0 {
			out = append(out, name)
		}
	}
	return out
}

func providersInUse(names []string) error {
	return &types.ResourceInUseException{Message: aws.String("The specified capacity provider is in use and cannot be removed. (capacityProviders: tasks use " + strings.Join(names, ", ") + ")")}
}

// regain gives a cluster back what it has just lost and tasks turn out to use.
//
// To compare all tasks of a large cluster in the transaction that takes a
// provider away would hold up every other one for seconds. But whoever places a
// task compares the cluster's record, so once that is written no further task
// comes to the provider, and the state that shows it shows every task that has
// come before.
func (s *Service) restoreUsed(ctx context.Context, was, is *fleet.Cluster) error {
	used := usedProviders(s.store.Snapshot(), was, is.CapacityProviders)
	if len(used) == 0 {
		return nil
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		k := store.ClusterKey(was.Name)
		c := store.Get(tx, k)
		if c == nil || c.Status != fleet.ClusterActive {
			return nil
		}
		next := *c
		if slices.Equal(c.CapacityProviders, is.CapacityProviders) && reflect.DeepEqual(c.DefaultCapacityProviderStrategy, is.DefaultCapacityProviderStrategy) {
			next.CapacityProviders, next.DefaultCapacityProviderStrategy = was.CapacityProviders, was.DefaultCapacityProviderStrategy
		} else {
			next.CapacityProviders = slices.Clone(c.CapacityProviders)
			for _, name := range used {
				if !slices.Contains(next.CapacityProviders, name) {
					next.CapacityProviders = append(next.CapacityProviders, name)
				}
			}
		}
		for _, name := range used {
			if capacity.IsFargate(name) {
				continue
			}
			// As in associate: its deletion can't commit at the same time.
			pk := store.CapacityProviderKey(name)
			if p := store.Get(tx, pk); p != nil {
				if err := store.Put(tx, pk, restoreProvider(p)); err != nil {
					return err
				}
			}
		}
		return store.Put(tx, k, &next)
	})
	if err != nil {
		return err
	}
	return providersInUse(used)
}

// revived is a provider as it was before its deletion, if it was deleted.
func restoreProvider(p *fleet.CapacityProvider) *fleet.CapacityProvider {
	if p.Status != types.CapacityProviderStatusInactive {
		return p
	}
	next := *p
	next.Status, next.DeletedAt = types.CapacityProviderStatusActive, time.Time{}
	next.Update = types.CapacityProviderUpdateStatusDeleteFailed
	next.UpdateReason = "The capacity provider cannot be deleted because tasks use it. Stop them and try again."
	return &next
}
