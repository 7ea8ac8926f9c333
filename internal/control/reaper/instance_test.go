package reaper

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
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

// Little is kept of an instance that was deregistered, and of the instances that one
// host has been the newest.
func TestFormerInstancesAreFewAndSmall(t *testing.T) {
	s := storetest.Open(t)
	large := func(id string, since time.Time) *fleet.Instance {
		i := &fleet.Instance{Cluster: "c", ID: id, Status: fleet.InstanceInactive, Principal: "h", RegisteredAt: now, InactiveSince: since, Version: 3, StatusReason: "why",
			Registered: fleet.Capacity{CPU: 1, ReservedPorts: []fleet.Port{{Number: 22}}}, ClientToken: "t"}
		for range 100 {
			i.Registered.GPUs = append(i.Registered.GPUs, strings.Repeat("g", 4000))
			i.Attributes = append(i.Attributes, types.Attribute{Name: aws.String("ecs.x"), Value: aws.String(strings.Repeat("v", 4000))})
		}
		return i
	}
	const n = maxFormerInstances + 5
	for k := range n {
		// Some are of old: their time has begun, and they are as large as they were.
		since := now.Add(time.Duration(k-n) * time.Minute)
		if k%2 == 0 {
			since = time.Time{}
		}
		id := fmt.Sprintf("%02d", k)
		if err := s.Update(t.Context(), func(tx *store.Tx) error { return store.Create(tx, store.InstanceKey("c", id), large(id, since)) }); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		other := large("other", now)
		other.Principal = "other"
		return errors.Join(store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c"}), store.Create(tx, store.InstanceKey("c", "other"), other))
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reaper{Store: s, Server: "a", Limits: Defaults, Every: time.Hour, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	for range 2 { // their time begins, then those that are too many go
		if err := s.Lead(t.Context(), "reaper", "a", r.Reap); err != nil {
			t.Fatal(err)
		}
	}
	left := 0
	for i := range s.Snapshot().Instances("c", "") {
		data, err := json.Marshal(i)
		if err != nil || len(data) > 1000 {
			t.Errorf("%s takes %d bytes: %v", i.ID, len(data), err)
		}
		if i.StatusReason != "why" || i.Registered.CPU != 1 || i.InactiveSince.IsZero() {
			t.Errorf("%+v", i)
		}
		if i.Principal == "h" {
			left++
		}
	}
	if left != maxFormerInstances || s.Snapshot().Instance("c", "other") == nil {
		t.Errorf("%d are left of the host's %d", left, n)
	}
	for k := 1; k < 10; k += 2 { // the oldest of those whose time began first
		if s.Snapshot().Instance("c", fmt.Sprintf("%02d", k)) != nil {
			t.Errorf("the old %02d stays", k)
		}
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
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return deleteInstance(tx, Instance{"c", "i"}) }); err != nil {
		t.Fatal(err)
	}
	if s.Snapshot().Instance("c", "i") == nil {
		t.Error("an ACTIVE instance was dropped")
	}
}
