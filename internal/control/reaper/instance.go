package reaper

import (
	"errors"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// stamp notes since when an instance is INACTIVE, as far as the leader knows, and
// leaves out what nobody reads of one.
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

// drops deletes an instance's records. INACTIVE is for good, and nothing is
// placed on such an instance; its stopped tasks go by their own limits.
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
