package reaper

import (
	"errors"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// recordInactive stores since when an instance is INACTIVE, as far as the leader
// knows, and removes members of the record that nothing reads any more.
func recordInactive(tx *store.Tx, i Instance, now time.Time) error {
	k := store.InstanceKey(i.Cluster, i.ID)
	old := store.Get(tx, k)
	if old == nil || old.Status != fleet.InstanceInactive || !old.InactiveSince.IsZero() && old.IsFormer() {
		return nil
	}
	next := old.Former()
	if next.InactiveSince.IsZero() {
		next.InactiveSince = now.UTC()
	}
	return store.Put(tx, k, &next)
}

// deleteInstance deletes an instance's records. An instance never leaves INACTIVE,
// and nothing is placed on it. Its stopped tasks are deleted by their own limits.
func deleteInstance(tx *store.Tx, i Instance) error {
	k := store.InstanceKey(i.Cluster, i.ID)
	if old := store.Get(tx, k); old == nil || old.Status != fleet.InstanceInactive {
		return nil
	}
	return errors.Join(
		deleteIfPresent(tx, store.InstanceHealthKey(i.Cluster, i.ID)),
		deleteIfPresent(tx, store.HostGuard(i.Cluster, i.ID)),
		store.Delete(tx, k))
}
