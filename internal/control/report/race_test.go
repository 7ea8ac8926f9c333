package report

import (
	"errors"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ends is the transaction by which a host's report ends a task, with something
// that happens between its decision and its commit.
func ends(t *testing.T, s *store.Store, id string, meanwhile func()) {
	t.Helper()
	done := false
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		task := tx.Snapshot().Task("c", id)
		if next := Apply(task, nil, Statement{Status: fleet.TaskStopped}, time.Now()); next != nil {
			if err := Put(tx, task, next); err != nil {
				return err
			}
		}
		if !done {
			done = true
			meanwhile()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// running stores an instance with running tasks.
func running(t *testing.T, s *store.Store, status fleet.InstanceStatus, ids ...string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		errs := []error{
			store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive}),
			store.Create(tx, store.InstanceKey("c", "i"), &fleet.Instance{Cluster: "c", ID: "i", Status: status}),
		}
		for _, id := range ids {
			errs = append(errs, store.Create(tx, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: "i", Family: "f", Revision: 1}),
				store.Create(tx, store.TaskReportKey("c", id), &fleet.TaskReport{Status: fleet.TaskRunning}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// If a task's end and a request to stop it are written at once, the task has ended for
// the reason of the request. Without the guarded read of the request in putReport it
// has another reason (seen).
func TestEndRacesStop(t *testing.T) {
	s := storetest.Open(t)
	running(t, s, fleet.InstanceActive, "t")
	ends(t, s, "t", func() {
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			return Stop(tx, "c", "t", &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated, Reason: "enough"})
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if got := s.Snapshot().Task("c", "t"); got.Status() != fleet.TaskStopped || got.Report.StopCode != types.TaskStopCodeUserInitiated || got.Report.Reason != "enough" {
		t.Errorf("%+v, stop %+v", got.Report, got.Stop)
	}
}

// Of an instance that is being deregistered the last two tasks end at once: one
// of them ends the deregistration. Without the claim of the host's guard in
// EndDeregistration each leaves it to the other (seen).
func TestLastTasksEndAtOnce(t *testing.T) {
	s := storetest.Open(t)
	running(t, s, fleet.InstanceDeregistering, "t", "u")
	ends(t, s, "t", func() { ends(t, s, "u", func() {}) })
	if got := s.Snapshot().Instance("c", "i").Status; got != fleet.InstanceInactive {
		t.Errorf("the instance is %s with no task left", got)
	}
}
