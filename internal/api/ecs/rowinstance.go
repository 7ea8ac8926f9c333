package ecs

import (
	"iter"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// instanceView shows container instances as DescribeContainerInstances does, with tags
// and health. It includes INACTIVE instances until the store forgets them.
func (s *Service) instanceView() *rows.View {
	touchSelf := func(_, _ *store.Snapshot, names store.Names, touch func(string)) { touch(names[0] + "/" + names[1]) }
	return &rows.View{
		Kind: "instance",
		Scope: func(where map[string]string) (string, error) {
			return s.parseScope(where, "cluster")
		},
		Keys: instanceKeys,
		Scopes: func(snap *store.Snapshot, key string) []string {
			cluster, id, _ := strings.Cut(key, "/")
			if snap.Instance(cluster, id) == nil {
				return nil
			}
			return []string{"", cluster}
		},
		MayBeIn: mayBeInScope,
		Readable: func(snap *store.Snapshot, key string) error {
			cluster, id, _ := strings.Cut(key, "/")
			return store.Readable(snap, store.InstanceKey(cluster, id))
		},
		Describe: func(snap *store.Snapshot, key string) (any, error) {
			cluster, id, _ := strings.Cut(key, "/")
			out := s.instanceOut(snap, snap.Instance(cluster, id), instanceFields{tags: true, health: true})
			return &out, nil
		},
		Touches: map[store.ChangeKind]func(prev, next *store.Snapshot, names store.Names, touch func(string)){
			store.InstanceChanged:       touchSelf,
			store.SessionChanged:        touchSelf,
			store.InstanceHealthChanged: touchSelf,
			store.TaskChanged: func(prev, next *store.Snapshot, names store.Names, touch func(string)) {
				if t := findTaskInEither(prev, next, names); t != nil && t.Instance != "" {
					touch(names[0] + "/" + t.Instance)
				}
			},
			store.ClusterChanged: touchProviderInstances,
		},
		Action: "ecs:DescribeContainerInstances",
		Resource: func(key string) string {
			cluster, id, _ := strings.Cut(key, "/")
			return s.site.InstanceARN(cluster, id)
		},
		Context: s.clusterContext,
	}
}

// instanceKeys yields the container instances of a scope.
func instanceKeys(snap *store.Snapshot, scope string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for cluster := range snap.Clusters("") {
			if scope != "" && scope != cluster {
				continue
			}
			for i := range snap.Instances(cluster, "") {
				if !yield(cluster + "/" + i.ID) {
					return
				}
			}
		}
	}
}

// touchProviderInstances touches a cluster's instances that belong to a capacity
// provider, if the cluster's list of providers has changed. An instance shows its
// provider only if the provider is in the list.
func touchProviderInstances(prev, next *store.Snapshot, names store.Names, touch func(string)) {
	if was, is := prev.Cluster(names[0]), next.Cluster(names[0]); prev != next && was != nil && is != nil && slices.Equal(was.CapacityProviders, is.CapacityProviders) {
		return
	}
	for i := range next.Instances(names[0], "") {
		if _, ok := i.Attribute(fleet.AttributeProvider); ok {
			touch(names[0] + "/" + i.ID)
		}
	}
}
