package scheduler

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobody is a placer that must not be called.
type nobody struct{ t *testing.T }

func (n nobody) LaunchService(context.Context, placer.ServiceLaunch) (placer.Launched, error) {
	n.t.Error("a launch")
	return placer.Launched{}, nil
}

func (n nobody) Eligible(*store.Snapshot, *fleet.Service, *fleet.ServiceRevision) ([]string, error) {
	return nil, nil
}

// A leader that has not noticed the end of its term can't write.
func TestStaleLeaderCantWrite(t *testing.T) {
	s := storetest.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(
			store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive}),
			// Wanted 0, and never looked at: its deployment has to be completed.
			store.Create(tx, store.ServiceKey("c", "s"), &fleet.Service{Cluster: "c", Name: "s", ID: "i", Status: fleet.ServiceActive,
				Scheduling: types.SchedulingStrategyReplica, Deployment: "1", Deployments: 1}),
			store.Create(tx, store.DeploymentKey("c", "s", "1"), &fleet.Deployment{Cluster: "c", Service: "s", ServiceID: "i", ID: "1", Number: 1, Revision: "r"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	var old *leader
	err = s.Lead(ctx, "scheduler", "a", func(_ context.Context, term *store.Term) error {
		old = newLeader(&Scheduler{Store: s, Placer: nobody{t}, Now: time.Now}, term)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.converge(ctx, "c", "s", false); !errors.Is(err, store.ErrDeposed) {
		t.Errorf("after its term a leader could write: %v", err)
	}
	if st := s.Snapshot().Deployment("c", "s", "1").State; st != nil {
		t.Errorf("it wrote %+v", st)
	}
	err = s.Lead(ctx, "scheduler", "b", func(ctx context.Context, term *store.Term) error {
		now := newLeader(&Scheduler{Store: s, Placer: nobody{t}, Now: time.Now}, term)
		_, err := now.converge(ctx, "c", "s", false)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Snapshot().Deployment("c", "s", "1").State; st == nil || st.Rollout != types.DeploymentRolloutStateCompleted {
		t.Errorf("the leader wrote %+v", st)
	}
	if ev := s.Snapshot().ServiceState("c", "s"); ev == nil || ev.Events != 2 || !ev.Steady {
		t.Errorf("the leader wrote %+v", ev)
	}
}
