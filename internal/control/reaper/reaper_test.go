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
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// stopped writes n tasks that have stopped that long ago, by transactions of
// their own, so that they are reported in this order.
func stopped(t *testing.T, s *store.Store, cluster, name string, n int, ago time.Duration) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint(name, i)
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(
				store.Create(tx, store.TaskKey(cluster, id), &fleet.Task{Cluster: cluster, ID: id, Instance: "i", Family: "f"}),
				store.Create(tx, store.TaskStopKey(cluster, id), &fleet.TaskStop{}),
				store.Create(tx, store.TaskReportKey(cluster, id), &fleet.TaskReport{Status: fleet.TaskStopped, StoppedAt: now.Add(-ago)}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReaper(t *testing.T) {
	s := storetest.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := s.Update(ctx, func(tx *store.Tx) error {
		for _, name := range []string{"c", "d"} {
			if err := store.Create(tx, store.ClusterKey(name), &fleet.Cluster{Name: name}); err != nil {
				return err
			}
		}
		return errors.Join(
			store.Create(tx, store.TaskKey("c", "running"), &fleet.Task{Cluster: "c", ID: "running", CreatedAt: now.Add(-99 * time.Hour)}),
			store.Create(tx, store.TaskReportKey("c", "running"), &fleet.TaskReport{Status: fleet.TaskRunning}),
			store.Create(tx, store.TaskKey("c", "pending"), &fleet.Task{Cluster: "c", ID: "pending", CreatedAt: now.Add(-99 * time.Hour)}),
			store.Create(tx, store.TokenKey("c", "old"), &fleet.Token{Tasks: []string{"old0"}, CreatedAt: now.Add(-25 * time.Hour)}),
			store.Create(tx, store.TokenKey("c", "empty"), &fleet.Token{CreatedAt: now.Add(-2 * time.Hour)}),
			store.Create(tx, store.TokenKey("c", "new"), &fleet.Token{Tasks: []string{"running"}, CreatedAt: now.Add(-23 * time.Hour)}))
	})
	if err != nil {
		t.Fatal(err)
	}
	stopped(t, s, "c", "old", 60, 25*time.Hour)
	stopped(t, s, "c", "first", 3, time.Hour)
	stopped(t, s, "c", "second", 10, 2*time.Hour) // by its host's clock earlier
	stopped(t, s, "d", "other", 2, 25*time.Hour)

	r := &Reaper{Store: s, Server: "a", Limits: Limits{Stopped: 11}, // the times by default
		Every: 10 * time.Millisecond, Now: func() time.Time { return now }}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	snap, feed := s.Follow()
	go func() { done <- r.Run(run) }()
	for snap.Counts("c").Stopped > 11 || snap.Counts("d").Stopped > 0 || snap.Token("c", "old") != nil || snap.Token("c", "empty") != nil {
		a, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		snap = a.Next
	}
	for id, kept := range map[string]bool{"running": true, "pending": true, "old0": false, "first0": false, "first1": false, "first2": true, "second0": true} {
		if (snap.Task("c", id) != nil) != kept {
			t.Errorf("%s: kept %v, want %v", id, !kept, kept)
		}
	}
	if snap.Token("c", "new") == nil {
		t.Error("a token of today is gone")
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if due := r.Limits.Find(s.Snapshot(), now); len(due.Tasks)+len(due.Tokens) != 0 {
		t.Errorf("still due: %+v", due)
	}
	if s.Snapshot().Counts("c").Stopped != 11 {
		t.Errorf("%d are kept", s.Snapshot().Counts("c").Stopped)
	}
}

// TestRevisions: a revision that is being deleted goes when its last task has
// stopped, one that waits for a host included, and its number stays used.
func TestRevisions(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	update := func(fn func(tx *store.Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *store.Tx) error {
		errs := []error{store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c"}), store.Create(tx, store.FamilyKey("f"), &fleet.Family{Name: "f", Latest: 5})}
		for n, status := range []types.TaskDefinitionStatus{"ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS"} {
			errs = append(errs,
				store.Create(tx, store.TaskDefinitionKey("f", n+1), &fleet.TaskDefinition{Family: "f", Revision: n + 1}),
				store.Create(tx, store.TaskDefinitionStateKey("f", n+1), &fleet.TaskDefinitionState{Status: status}))
		}
		for _, n := range []int{3, 4} {
			errs = append(errs, store.Create(tx, store.TaskKey("c", fmt.Sprint("stopped", n)), &fleet.Task{Cluster: "c", ID: fmt.Sprint("stopped", n), Instance: "i", Family: "f", Revision: n}),
				store.Create(tx, store.TaskReportKey("c", fmt.Sprint("stopped", n)), &fleet.TaskReport{Status: fleet.TaskStopped, StoppedAt: now}))
		}
		errs = append(errs, store.Create(tx, store.TaskKey("c", "running"), &fleet.Task{Cluster: "c", ID: "running", Instance: "i", Family: "f", Revision: 4}),
			store.Create(tx, store.WaitingTaskKey("c", "waiting"), &fleet.Task{Cluster: "c", ID: "waiting", Family: "f", Revision: 5}))
		return errors.Join(errs...)
	})
	r := &Reaper{Store: s, Limits: Defaults, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	reap := func(want string) {
		t.Helper()
		lead, done := context.WithCancel(ctx)
		err := s.Lead(lead, "reaper", "a", func(ctx context.Context, term *store.Term) error {
			defer done()
			return r.Reap(ctx, term)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		var left []int
		for d := range s.Snapshot().TaskDefinitions("f") {
			left = append(left, d.Revision)
			if _, st := s.Snapshot().TaskDefinition("f", d.Revision); st == nil {
				t.Errorf("revision %d lost its status", d.Revision)
			}
		}
		if got := fmt.Sprint(left); got != want {
			t.Errorf("revisions left: %s; want %s", got, want)
		}
	}
	reap("[1 2 4 5]")
	update(func(tx *store.Tx) error { // a host for the one that waits; the other stops
		k := store.WaitingTaskKey("c", "waiting")
		return errors.Join(
			store.Create(tx, store.TaskKey("c", "waiting"), &fleet.Task{Cluster: "c", ID: "waiting", Instance: "i", Family: "f", Revision: 5}),
			deleteIfPresent(tx, k), store.Create(tx, store.TaskStopKey("c", "running"), &fleet.TaskStop{}))
	})
	reap("[1 2 4 5]") // a task that is to stop has not stopped
	update(func(tx *store.Tx) error {
		return errors.Join(
			store.Create(tx, store.TaskReportKey("c", "waiting"), &fleet.TaskReport{Status: fleet.TaskStopped, StoppedAt: now}),
			store.Create(tx, store.TaskReportKey("c", "running"), &fleet.TaskReport{Status: fleet.TaskStopped, StoppedAt: now}))
	})
	reap("[1 2]")
	if f := s.Snapshot().Family("f"); f == nil || f.Latest != 5 {
		t.Errorf("the family counts %+v", f)
	}
	// What was decided on an older snapshot is decided again in the transaction.
	update(func(tx *store.Tx) error {
		if err := deleteRevision(tx, fleet.TaskDefinitionRef{Family: "f", Revision: 1}); err != nil {
			return err
		}
		return deleteRevision(tx, fleet.TaskDefinitionRef{Family: "f", Revision: 2})
	})
	reap("[1 2]")
}
