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

// checkStrategy checks a capacity provider strategy that is to be used in a cluster
// with these providers.
func checkStrategy(field string, strategy []types.CapacityProviderStrategyItem, associated []string) error {
	err := capacity.Check(field, strategy, associated)
	if rule, ok := errors.AsType[*capacity.Error](err); ok {
		return refuse.Invalid("%s", rule.Message)
	}
	return err
}

// association is a cluster's capacity providers after a request.
type association struct {
	providers []string
	strategy  []types.CapacityProviderStrategyItem
}

// resolveAssociation resolves the providers that a cluster is to have and the
// strategy over them. It writes a provider that is new to the cluster unchanged. So a
// deletion of the provider, which looks for clusters that have it, can't commit at
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

// clusterScoped returns the providers that belong to one cluster alone: they are
// associated with it for as long as they exist.
func clusterScoped(snap *store.Snapshot, c *fleet.Cluster) []string {
	var out []string
	for _, name := range c.CapacityProviders {
		if p := snap.CapacityProvider(name); p != nil && p.Cluster == c.Name {
			out = append(out, name)
		}
	}
	return out
}

// usedProviders returns those of a cluster's providers that are not in keep and that
// tasks use.
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

// restoreUsed gives a cluster back the providers that it has just lost and that tasks
// turn out to use.
//
// If the transaction that removes a provider compared all tasks of a large cluster,
// it would delay every other transaction for seconds. But a transaction that places a
// task compares the cluster's record. So once that record is written no further task
// comes to the provider, and the state that shows the record shows every task that
// came before.
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
			// As in resolveAssociation: its deletion can't commit at the same time.
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

// restoreProvider returns a provider as it was before its deletion, if it was
// deleted.
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
