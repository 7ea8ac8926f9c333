package reaper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A leader that has not noticed the end of its term deletes nothing, whatever is
// due. Without the guard in update all of it goes (seen).
func TestDeposedReaperDeletesNothing(t *testing.T) {
	s := storetest.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := &Reaper{Store: s, Limits: Defaults, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	var old *store.Term
	if err := s.Lead(ctx, "reaper", "a", func(_ context.Context, term *store.Term) error { old = term; return nil }); err != nil {
		t.Fatal(err)
	}
	put(t, s, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive})
	long := now.Add(-99 * time.Hour)
	for _, kind := range []struct {
		name string
		make func()
	}{
		{"a task", func() { stopped(t, s, "c", "t", 1, 99*time.Hour) }},
		{"a token", func() { put(t, s, store.TokenKey("c", "t"), &fleet.Token{CreatedAt: long}) }},
		{"an instance that ended", func() {
			put(t, s, store.InstanceKey("c", "e"), &fleet.Instance{Cluster: "c", ID: "e", Status: fleet.InstanceInactive})
		}},
		{"an instance", func() {
			put(t, s, store.InstanceKey("c", "i"), &fleet.Instance{Cluster: "c", ID: "i", Status: fleet.InstanceInactive, InactiveSince: long})
		}},
		{"a cluster", func() {
			put(t, s, store.ClusterKey("d"), &fleet.Cluster{Name: "d", Status: fleet.ClusterInactive, DeletedAt: long})
		}},
		{"a capacity provider", func() {
			put(t, s, store.CapacityProviderKey("p"), &fleet.CapacityProvider{Name: "p", Status: types.CapacityProviderStatusInactive, DeletedAt: long})
		}},
		{"a revision", func() {
			put(t, s, store.TaskDefinitionKey("f", 1), &fleet.TaskDefinition{Family: "f", Revision: 1})
			put(t, s, store.TaskDefinitionStateKey("f", 1), &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusDeleteInProgress})
		}},
		{"a service", func() {
			put(t, s, store.ServiceKey("c", "web"), &fleet.Service{Cluster: "c", Name: "web", ID: "i", Status: fleet.ServiceInactive, DeletedAt: long})
		}},
	} {
		kind.make()
		due := r.Limits.Find(s.Snapshot(), now)
		if fmt.Sprint(due) == fmt.Sprint(Due{}) {
			t.Fatalf("%s is not due", kind.name)
		}
		if err := r.Reap(ctx, old); !errors.Is(err, store.ErrDeposed) {
			t.Errorf("%s: after its term a leader could write: %v", kind.name, err)
		}
		if after := r.Limits.Find(s.Snapshot(), now); fmt.Sprint(after) != fmt.Sprint(due) {
			t.Errorf("%s: %+v was due, then %+v", kind.name, due, after)
		}
		if err := s.Lead(ctx, "reaper", "b", func(ctx context.Context, term *store.Term) error { return r.Reap(ctx, term) }); err != nil {
			t.Fatal(err)
		}
		if after := r.Limits.Find(s.Snapshot(), now); fmt.Sprint(after) != fmt.Sprint(Due{}) {
			t.Errorf("%s: the leader left %+v", kind.name, after)
		}
	}
}
