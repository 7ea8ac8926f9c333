package reaper

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func put[V any](t *testing.T, s *store.Store, k store.Key[V], v *V) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		store.Get(tx, k)
		return store.Put(tx, k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Deleted clusters and capacity providers are forgotten after a time, but not
// before what is below a cluster.
func TestDeleted(t *testing.T) {
	s := storetest.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	deleted := func(name string, ago time.Duration) {
		put(t, s, store.ClusterKey(name), &fleet.Cluster{Name: name, Status: fleet.ClusterInactive, DeletedAt: now.Add(-ago)})
	}
	provider := func(name string, status types.CapacityProviderStatus, ago time.Duration) {
		put(t, s, store.CapacityProviderKey(name), &fleet.CapacityProvider{Name: name, Status: status, DeletedAt: now.Add(-ago)})
	}
	put(t, s, store.ClusterKey("active"), &fleet.Cluster{Name: "active", Status: fleet.ClusterActive})
	deleted("old", 25*time.Hour)
	deleted("new", 23*time.Hour)
	deleted("kept", 25*time.Hour)
	put(t, s, store.TokenKey("kept", "token"), &fleet.Token{CreatedAt: now})
	deleted("emptied", 25*time.Hour)
	stopped(t, s, "emptied", "t", 1, 25*time.Hour)
	provider("p-active", types.CapacityProviderStatusActive, 99*time.Hour)
	provider("p-old", types.CapacityProviderStatusInactive, 25*time.Hour)
	provider("p-new", types.CapacityProviderStatusInactive, 23*time.Hour)

	r := &Reaper{Store: s, Server: "a", Every: 10 * time.Millisecond, Now: func() time.Time { return now }}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	snap, feed := s.Follow()
	go func() { done <- r.Run(run) }()
	for snap.Cluster("old") != nil || snap.Cluster("emptied") != nil || snap.CapacityProvider("p-old") != nil {
		a, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		snap = a.Next
	}
	for _, name := range []string{"active", "new", "kept"} {
		if snap.Cluster(name) == nil {
			t.Errorf("the cluster %s is gone", name)
		}
	}
	for _, name := range []string{"p-active", "p-new"} {
		if snap.CapacityProvider(name) == nil {
			t.Errorf("the capacity provider %s is gone", name)
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// A cluster or provider that is created again while the reaper works stays. Without
// the second check in deleteCluster and deleteProvider it is deleted (seen).
func TestDeletedRacesRevival(t *testing.T) {
	s := storetest.Open(t)
	put(t, s, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterInactive, DeletedAt: now.Add(-99 * time.Hour)})
	put(t, s, store.CapacityProviderKey("p"), &fleet.CapacityProvider{Name: "p", Status: types.CapacityProviderStatusInactive, DeletedAt: now.Add(-99 * time.Hour)})
	again := false
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if err := errors.Join(Defaults.deleteCluster(tx, "c", now), Defaults.deleteProvider(tx, "p", now)); err != nil || again {
			return err
		}
		again = true
		put(t, s, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive})
		put(t, s, store.CapacityProviderKey("p"), &fleet.CapacityProvider{Name: "p", Status: types.CapacityProviderStatusActive})
		return nil
	})
	if err != nil || s.Snapshot().Cluster("c") == nil || s.Snapshot().CapacityProvider("p") == nil {
		t.Errorf("%v: cluster %v, provider %v", err, s.Snapshot().Cluster("c"), s.Snapshot().CapacityProvider("p"))
	}
}
