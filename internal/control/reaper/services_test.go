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

// TestServices: of a service that is there the last deployments stay that have
// ended, with the newest one to go back to; of a deleted one nothing, after a day.
func TestServices(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	update := func(fn func(tx *store.Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	const all = maxEndedDeployments + 50
	update(func(tx *store.Tx) error {
		return errors.Join(store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c"}),
			store.Create(tx, store.ServiceKey("c", "web"), &fleet.Service{Cluster: "c", Name: "web", ID: "now", Status: fleet.ServiceActive, Deployment: fmt.Sprint(all), Deployments: all}),
			store.Create(tx, store.ServiceStateKey("c", "web"), &fleet.ServiceState{Service: "now"}))
	})
	for n := range all {
		update(func(tx *store.Tx) error {
			id, of := fmt.Sprint(n+1), "now"
			if n < 5 {
				of = "before"
			}
			st := &fleet.DeploymentState{Done: n+1 < all, Rollout: types.DeploymentRolloutStateFailed}
			if n == 20 {
				st.Rollout = types.DeploymentRolloutStateCompleted
			}
			return errors.Join(
				store.Create(tx, store.DeploymentKey("c", "web", id), &fleet.Deployment{Cluster: "c", Service: "web", ServiceID: of, ID: id, Number: int64(n + 1), Revision: "r" + id}),
				store.Create(tx, store.DeploymentStateKey("c", "web", id), st),
				store.Create(tx, store.ServiceRevisionKey("c", "web", "r"+id), &fleet.ServiceRevision{Cluster: "c", Service: "web", ID: "r" + id, Family: "f", Revision: n + 1}),
				store.Create(tx, store.ServiceEventKey("c", "web", int64(n+1)), &fleet.ServiceEvent{Number: int64(n + 1)}))
		})
	}
	r := &Reaper{Store: s, Limits: Defaults, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	reap := func() {
		t.Helper()
		lead, done := context.WithCancel(ctx)
		err := s.Lead(lead, "reaper", "a", func(ctx context.Context, term *store.Term) error {
			defer done()
			return r.Reap(ctx, term)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	reap()
	left := s.Snapshot().Deployments("c", "web")
	if len(left) != maxEndedDeployments+2 || left[len(left)-1].ID != "21" { // PRIMARY, 100, the completed one
		t.Errorf("%d deployments are left, the oldest %s", len(left), left[len(left)-1].ID)
	}
	revisions := 0
	for rev := range s.Snapshot().ServiceRevisions("c", "web") {
		if d := s.Snapshot().Deployment("c", "web", rev.ID[1:]); d.Deployment == nil {
			t.Errorf("revision %s is left without a deployment", rev.ID)
		}
		revisions++
	}
	if revisions != len(left) {
		t.Errorf("%d revisions of %d deployments", revisions, len(left))
	}
	if !isUsedByService(s.Snapshot(), fleet.TaskDefinitionRef{Family: "f", Revision: all}) || isUsedByService(s.Snapshot(), fleet.TaskDefinitionRef{Family: "f", Revision: 1}) {
		t.Error("a definition is in use as long as a revision that is kept is of it")
	}

	end := func(ago time.Duration) {
		update(func(tx *store.Tx) error {
			k := store.ServiceKey("c", "web")
			svc := *store.Get(tx, k)
			svc.Status, svc.DeletedAt = fleet.ServiceInactive, now.Add(-ago)
			return store.Put(tx, k, &svc)
		})
	}
	end(Defaults.DeletedAge - time.Second)
	reap()
	if s.Snapshot().Service("c", "web") == nil {
		t.Error("a service went before its time")
	}
	end(Defaults.DeletedAge + time.Second)
	reap()
	snap := s.Snapshot()
	for range snap.ServiceRevisions("c", "web") {
		t.Error("a revision is left")
	}
	for range snap.ServiceEvents("c", "web") {
		t.Error("an event is left")
	}
	if snap.Service("c", "web") != nil || snap.ServiceState("c", "web") != nil || len(snap.Deployments("c", "web")) > 0 {
		t.Error("something is left of a deleted service")
	}
}
