package reaper

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// instances notes which instances have become INACTIVE, and deletes those whose
// time is over.
func (r *Reaper) instances(ctx context.Context, term *store.Term, due Due, now time.Time) error {
	for _, list := range []struct {
		instances []Instance
		do        func(*store.Tx, Instance, time.Time) error
	}{{due.Ended, stamp}, {due.Instances, drops}} {
		for some := range slices.Chunk(list.instances, batch) {
			err := r.update(ctx, term, func(tx *store.Tx) error {
				for _, i := range some {
					if err := list.do(tx, i, now); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// stamp notes since when an instance is INACTIVE, as far as the leader knows, and
// leaves out what nobody reads of one.
func stamp(tx *store.Tx, i Instance, now time.Time) error {
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
func drops(tx *store.Tx, i Instance, _ time.Time) error {
	k := store.InstanceKey(i.Cluster, i.ID)
	if old := store.Get(tx, k); old == nil || old.Status != fleet.InstanceInactive {
		return nil
	}
	return errors.Join(
		drop(tx, store.InstanceHealthKey(i.Cluster, i.ID)),
		drop(tx, store.HostGuard(i.Cluster, i.ID)),
		store.Delete(tx, k))
}
