package reaper

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A thing of which a record can't be read stays, and so does what such a record may
// need; the others go. Once it can be read it goes too.
func TestUnreadableStays(t *testing.T) {
	s, etcd := storetest.OpenEtcd(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	long := now.Add(-99 * time.Hour)
	put(t, s, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive})
	put(t, s, store.ClusterKey("gone"), &fleet.Cluster{Name: "gone", Status: fleet.ClusterInactive, DeletedAt: long})
	stopped(t, s, "c", "t", 5, 99*time.Hour)
	put(t, s, store.TaskDefinitionKey("f", 1), &fleet.TaskDefinition{Family: "f", Revision: 1})
	put(t, s, store.TaskDefinitionStateKey("f", 1), &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusDeleteInProgress})
	put(t, s, store.ServiceKey("c", "web"), &fleet.Service{Cluster: "c", Name: "web", ID: "i", Status: fleet.ServiceActive, Deployment: "1"})
	put(t, s, store.DeploymentKey("c", "web", "1"), &fleet.Deployment{Cluster: "c", Service: "web", ServiceID: "i", ID: "1", Revision: "r"})
	put(t, s, store.ServiceRevisionKey("c", "web", "r"), &fleet.ServiceRevision{Cluster: "c", Service: "web", ID: "r", Family: "g", Revision: 1})
	put(t, s, store.ServiceRevisionKey("c", "web", "old"), &fleet.ServiceRevision{Cluster: "c", Service: "web", ID: "old", Family: "g", Revision: 1})
	put(t, s, store.CapacityProviderKey("p"), &fleet.CapacityProvider{Name: "p", Status: types.CapacityProviderStatusInactive, DeletedAt: long})
	var mends []func()
	for _, key := range []string{store.TaskStopKey("c", "t3").String(), store.TaskKey("gone", "x").String(), store.DeploymentKey("c", "web", "1").String()} {
		mends = append(mends, storetest.Spoil(t, etcd, s, key))
	}
	r := &Reaper{Store: s, Limits: Defaults, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	reap := func() *store.Snapshot {
		t.Helper()
		if err := s.Lead(ctx, "reaper", "a", func(ctx context.Context, term *store.Term) error { return r.Reap(ctx, term) }); err != nil {
			t.Fatal(err)
		}
		return s.Snapshot()
	}
	left := func(snap *store.Snapshot) (all []string) {
		for task := range snap.Tasks("c", "") {
			all = append(all, task.ID)
		}
		for r := range snap.ServiceRevisions("c", "web") {
			all = append(all, "revision "+r.ID)
		}
		if d, _ := snap.TaskDefinition("f", 1); d != nil {
			all = append(all, "definition")
		}
		if snap.Cluster("gone") != nil {
			all = append(all, "cluster")
		}
		if snap.CapacityProvider("p") != nil {
			all = append(all, "provider")
		}
		return all
	}
	if got, want := left(reap()), []string{"t3", "revision old", "revision r", "definition", "cluster"}; !slices.Equal(got, want) {
		t.Errorf("%v is left, wanted %v", got, want)
	}
	for _, mend := range mends {
		mend()
	}
	reap()
	if got, want := left(reap()), []string{"revision r"}; !slices.Equal(got, want) {
		t.Errorf("mended, %v is left, wanted %v", got, want)
	}
}

// What makes the look at it panic is left out of what is due.
func TestPanicIsLeftOut(t *testing.T) {
	f := &finder{}
	for _, id := range []string{"a", "bad", "b"} {
		addIfDue(f, Task{"c", id}, &f.Tasks, func() bool {
			if id == "bad" {
				panic(errors.New("no time"))
			}
			return true
		})
	}
	if !slices.Equal(f.Tasks, []Task{{"c", "a"}, {"c", "b"}}) || len(f.Failed) != 1 || f.Failed[0].What != "task c/bad" {
		t.Errorf("due is %+v", f.Due)
	}
}
