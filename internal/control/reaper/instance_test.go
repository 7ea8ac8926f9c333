package reaper

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
)

// An INACTIVE instance goes once its time is over; the others stay.
func TestInactiveInstances(t *testing.T) {
	s := storetest.Open(t)
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c"}),
			store.Create(tx, store.InstanceKey("c", "active"), &fleet.Instance{Cluster: "c", ID: "active", Status: fleet.InstanceActive}),
			store.Create(tx, store.InstanceKey("c", "draining"), &fleet.Instance{Cluster: "c", ID: "draining", Status: fleet.InstanceDraining}),
			store.Create(tx, store.InstanceKey("c", "ended"), &fleet.Instance{Cluster: "c", ID: "ended", Status: fleet.InstanceInactive}),
			store.Create(tx, store.InstanceHealthKey("c", "ended"), &fleet.InstanceHealth{}),
			tx.Claim(store.HostGuard("c", "ended")))
	})
	if err != nil {
		t.Fatal(err)
	}
	at := now
	r := &Reaper{Store: s, Server: "a", Limits: Defaults, Every: time.Hour, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at }}
	reap := func() {
		t.Helper()
		if err := s.Lead(t.Context(), "reaper", "a", r.Reap); err != nil {
			t.Fatal(err)
		}
	}
	reap()
	i := s.Snapshot().Instance("c", "ended")
	if i == nil || !i.InactiveSince.Equal(now) {
		t.Fatalf("its time has not begun: %+v", i)
	}
	at = now.Add(24 * time.Hour)
	reap()
	if s.Snapshot().Instance("c", "ended") == nil {
		t.Fatal("gone before its time")
	}
	at = at.Add(time.Second)
	reap()
	snap := s.Snapshot()
	if snap.Instance("c", "ended") != nil || snap.InstanceHealth("c", "ended") != nil {
		t.Error("it is still there")
	}
	if snap.Instance("c", "active") == nil || snap.Instance("c", "draining") == nil {
		t.Error("one that is not INACTIVE is gone")
	}
}

// One that is no longer INACTIVE when its turn comes stays.
func TestInactiveInstanceIsLookedAtAgain(t *testing.T) {
	s := storetest.Open(t)
	k := store.InstanceKey("c", "i")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		return store.Create(tx, k, &fleet.Instance{Cluster: "c", ID: "i", Status: fleet.InstanceActive})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return drops(tx, Instance{"c", "i"}, now) }); err != nil {
		t.Fatal(err)
	}
	if s.Snapshot().Instance("c", "i") == nil {
		t.Error("an ACTIVE instance was dropped")
	}
}
