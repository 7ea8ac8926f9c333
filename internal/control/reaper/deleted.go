package reaper

import (
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// clusterExpired reports whether a cluster was deleted longer than DeletedAge ago.
func (l Limits) clusterExpired(c *fleet.Cluster, now time.Time) bool {
	return c.Status == fleet.ClusterInactive && now.Sub(c.DeletedAt) > l.DeletedAge
}

// isEmpty reports whether a cluster has no records left. Its tasks, tokens and
// instances are deleted by their own limits. A record that can't be read may be any
// of them, so the cluster is not empty then.
func isEmpty(snap *store.Snapshot, cluster string) bool {
	if snap.AllReadable(store.ClusterMembers(cluster)) != nil {
		return false
	}
	for range snap.Instances(cluster, "") {
		return false
	}
	for range snap.Tasks(cluster, "") {
		return false
	}
	for range snap.WaitingTasks(cluster, "") {
		return false
	}
	for range snap.Tokens(cluster) {
		return false
	}
	for range snap.Services(cluster, "") {
		return false
	}
	return true
}

// deleteCluster deletes a cluster's record, unless the cluster was created again or
// has got new records.
func (l Limits) deleteCluster(tx *store.Tx, name string, now time.Time) error {
	k := store.ClusterKey(name)
	if c := store.Get(tx, k); c == nil || !l.clusterExpired(c, now) || !isEmpty(tx.Snapshot(), name) {
		return nil
	}
	tx.Unchanged(store.ClusterMembers(name))
	return store.Delete(tx, k)
}

// providerExpired reports whether a capacity provider was deleted longer than
// DeletedAge ago.
func (l Limits) providerExpired(p *fleet.CapacityProvider, now time.Time) bool {
	return p.Status == types.CapacityProviderStatusInactive && now.Sub(p.DeletedAt) > l.DeletedAge
}

// deleteProvider deletes a capacity provider's record, unless it was created again.
func (l Limits) deleteProvider(tx *store.Tx, name string, now time.Time) error {
	k := store.CapacityProviderKey(name)
	if p := store.Get(tx, k); p == nil || !l.providerExpired(p, now) {
		return nil
	}
	return store.Delete(tx, k)
}
