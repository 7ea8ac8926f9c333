package ecs

import (
	"iter"

	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/store"
)

// clusterView shows clusters as DescribeClusters does, with everything that can be
// included.
func (s *Service) clusterView() *rows.View {
	touchSelf := func(_, _ *store.Snapshot, names store.Names, touch func(string)) { touch(names[0]) }
	return &rows.View{
		Kind: "cluster",
		Scope: func(where map[string]string) (string, error) {
			return s.parseScope(where, "cluster")
		},
		Keys: clusterKeys,
		Scopes: func(snap *store.Snapshot, key string) []string {
			if snap.Cluster(key) == nil {
				return nil
			}
			return []string{"", key}
		},
		MayBeIn: func(key, scope string) bool { return scope == "" || scope == key },
		Readable: func(snap *store.Snapshot, key string) error {
			return store.Readable(snap, store.ClusterKey(key))
		},
		Describe: func(snap *store.Snapshot, key string) (any, error) {
			out := s.clusterOut(snap, snap.Cluster(key), clusterFields{settings: true, configurations: true, statistics: true, attachments: true, tags: true})
			return &out, nil
		},
		Touches: map[store.ChangeKind]func(prev, next *store.Snapshot, names store.Names, touch func(string)){
			// A cluster shows how many tasks, services and hosts it has.
			store.ClusterChanged:  touchSelf,
			store.TaskChanged:     touchSelf,
			store.ServiceChanged:  touchSelf,
			store.InstanceChanged: touchSelf,
			// A cluster shows what a provider does for it, and the provider's launch
			// type.
			store.CapacityProviderChanged: func(_, next *store.Snapshot, _ store.Names, touch func(string)) {
				for cluster := range next.Clusters("") {
					touch(cluster)
				}
			},
		},
		Action:   "ecs:DescribeClusters",
		Resource: func(key string) string { return s.site.ClusterARN(key) },
		Context:  s.clusterContext,
	}
}

// clusterKeys yields the clusters of a scope.
func clusterKeys(snap *store.Snapshot, scope string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for cluster := range snap.Clusters("") {
			if (scope == "" || scope == cluster) && !yield(cluster) {
				return
			}
		}
	}
}
