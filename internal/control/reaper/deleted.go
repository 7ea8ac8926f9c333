package reaper

import (
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// overdue says of a deleted cluster whether its time is over.
func (l Limits) clusterExpired(c *fleet.Cluster, now time.Time) bool {
	return c.Status == fleet.ClusterInactive && now.Sub(c.DeletedAt) > l.DeletedAge
}

// empty says whether nothing is left below a cluster: tasks, tokens and instances go
// by their own limits. A record that can't be read may be any of them.
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

// dissolve deletes a cluster's record, unless the cluster was made anew or
// something has come below it.
func (l Limits) deleteCluster(tx *store.Tx, name string, now time.Time) error {
	k := store.ClusterKey(name)
	if c := store.Get(tx, k); c == nil || !l.clusterExpired(c, now) || !isEmpty(tx.Snapshot(), name) {
		return nil
	}
	tx.Unchanged(store.ClusterMembers(name))
	return store.Delete(tx, k)
}

// expired says of a deleted capacity provider whether its time is over.
func (l Limits) providerExpired(p *fleet.CapacityProvider, now time.Time) bool {
	return p.Status == types.CapacityProviderStatusInactive && now.Sub(p.DeletedAt) > l.DeletedAge
}

// retire deletes a capacity provider's record, unless it was made anew.
func (l Limits) deleteProvider(tx *store.Tx, name string, now time.Time) error {
	k := store.CapacityProviderKey(name)
	if p := store.Get(tx, k); p == nil || !l.providerExpired(p, now) {
		return nil
	}
	return store.Delete(tx, k)
}
