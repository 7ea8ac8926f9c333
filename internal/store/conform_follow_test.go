package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// until follows the feed until ok accepts a snapshot.
func until(t testing.TB, s *Store, ok func(*Snapshot) bool) {
	t.Helper()
	snap, feed := s.Follow()
	ctx := within(t)
	for !ok(snap) {
		a, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		snap = a.Next
	}
}

func conformFeed(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	start, feed := s.Follow()
	putCluster(t, s, "a")
	a, err := feed.Next(ctx)
	if err != nil || a.Prev != start || a.Next.Cluster("a") == nil || len(a.Changes) != 1 || a.Changes[0] != (Change{ClusterChanged, Names{"a"}}) {
		t.Fatalf("got %+v, %v", a, err)
	}
	t.Run("merged", func(t *testing.T) {
		putCluster(t, s, "b")
		putTask(t, s, task("b", "t", "i", "f"))
		next, err := feed.Next(ctx)
		if err != nil || next.Prev != a.Next || next.Next != s.Snapshot() || len(next.Changes) != 2 || next.Changes[1] != (Change{TaskChanged, Names{"b", "t"}}) {
			t.Fatalf("got %+v, %v", next, err)
		}
	})
	t.Run("since a revision", func(t *testing.T) {
		for _, at := range []*Snapshot{start, a.Next} {
			got, ok := s.Since(at.Revision())
			want := diff(tab(at), tab(s.Snapshot()))
			if !ok || len(got) != len(want) {
				t.Errorf("%v, %v since %d, not %v", got, ok, at.Revision(), want)
			}
		}
		if got, ok := s.Since(s.Snapshot().Revision()); !ok || len(got) != 0 {
			t.Errorf("%v, %v since now", got, ok)
		}
		for _, unknown := range []int64{s.history.after - 1, s.Snapshot().Revision() + 1} {
			if got, ok := s.Since(unknown); ok {
				t.Errorf("%v since %d, of which nothing is known", got, unknown)
			}
		}
	})
	t.Run("left behind", func(t *testing.T) {
		// This makes the feed fall behind what the store keeps.
		s.mu.Lock()
		for range maxHistory + 10 {
			s.history.add(s.snap.Load().Revision(), []Change{{ClusterChanged, Names{"noise"}}})
		}
		kept := len(s.history.steps)
		s.mu.Unlock()
		if kept > maxHistory {
			t.Errorf("%d steps are kept", kept)
		}
		if got, ok := s.Since(a.Next.Revision()); ok {
			t.Errorf("%d changes since a revision that is forgotten", len(got))
		}
		putCluster(t, s, "c")
		if err := s.Update(ctx, func(tx *Tx) error {
			Get(tx, ClusterKey("a"))
			return Delete(tx, ClusterKey("a"))
		}); err != nil {
			t.Fatal(err)
		}
		next, err := feed.Next(ctx)
		want := []Change{{ClusterChanged, Names{"a"}}, {ClusterChanged, Names{"c"}}}
		if err != nil || fmt.Sprint(next.Changes) != fmt.Sprint(want) {
			t.Errorf("got %v, %v, want %v", next.Changes, err, want)
		}
	})
	t.Run("ended", func(t *testing.T) {
		cfg := cfg
		cfg.Prefix += "-ended"
		s := opened(t, client, cfg)
		_, feed := s.Follow()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := feed.Next(ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("the feed of a closed store: %v", err)
		}
		if err := s.Update(ctx, func(tx *Tx) error { return Create(tx, ClusterKey("x"), &fleet.Cluster{}) }); !errors.Is(err, ErrClosed) {
			t.Errorf("a write to a closed store: %v", err)
		}
	})
}

func conformReopen(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	putCluster(t, s, "c")
	for i := range firstPageRecords/100 + 3 {
		err := s.Update(t.Context(), func(tx *Tx) error {
			for j := range 100 {
				id := fmt.Sprintf("%04d", i*100+j)
				if err := Create(tx, TaskKey("c", id), task("c", id, "i", "f")); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	again := opened(t, client, cfg)
	if d := diff(tab(s.Snapshot()), tab(again.Snapshot())); len(d) != 0 {
		t.Errorf("opened again, %d records differ", len(d))
	}
	if got := again.Snapshot().Counts("c").Pending; got != firstPageRecords+300 {
		t.Errorf("opened again, it counts %d tasks", got)
	}
}

func conformLease(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	putSession := func() error {
		return s.Update(ctx, func(tx *Tx) error {
			Get(tx, SessionKey("c", "i"))
			return PutLeased(tx, SessionKey("c", "i"), &fleet.InstanceSession{Server: "s"})
		})
	}
	select {
	case <-s.LeaseLost():
	default:
		t.Error("without a lease LeaseLost is open")
	}
	if err := putSession(); err != nil {
		t.Fatal(err)
	}
	lost := s.LeaseLost()
	id, err := s.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Revoke(ctx, id); err != nil {
		t.Fatal(err)
	}
	until(t, s, func(s *Snapshot) bool { return s.Session("c", "i") == nil })
	// The store may not have noticed it: the write grants a new lease.
	if err := putSession(); err != nil {
		t.Fatal(err)
	}
	if s.Snapshot().Session("c", "i") == nil {
		t.Error("the session is not back")
	}
	select {
	case <-lost:
	case <-ctx.Done():
		t.Error("the lost lease is not announced")
	}
	second, err := s.Lease(ctx)
	if err != nil || second == id {
		t.Errorf("the lease is %x after %x: %v", second, id, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := client.Get(ctx, s.root+"cluster/c/instance/i/session"); err != nil || len(r.Kvs) != 0 {
		t.Errorf("the session outlives an orderly end: %v, %v", r, err)
	}
}

func conformCompaction(t *testing.T, client *clientv3.Client, cfg Config) {
	ctx := within(t)
	other := opened(t, client, cfg)
	putCluster(t, other, "kept")
	putCluster(t, other, "gone")
	putTask(t, other, task("kept", "t", "i", "f"))

	// A server is cut off while others write and etcd's history is discarded.
	cfg.Sole = false
	s, err := load(ctx, client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = other.Update(ctx, func(tx *Tx) error {
		Get(tx, ClusterKey("gone"))
		if err := Create(tx, ClusterKey("new"), &fleet.Cluster{Name: "new"}); err != nil {
			return err
		}
		return Delete(tx, ClusterKey("gone"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(ctx, other.Snapshot().rev, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	_, feed := s.Follow()
	s.start()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})

	seen := map[Change]bool{}
	for {
		a, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range a.Changes {
			seen[c] = true
		}
		if a.Next.Cluster("new") != nil {
			break
		}
	}
	if len(seen) != 2 || !seen[Change{ClusterChanged, Names{"gone"}}] || !seen[Change{ClusterChanged, Names{"new"}}] {
		t.Errorf("the feed says %v", seen)
	}
	if d := diff(tab(s.Snapshot()), tab(other.Snapshot())); len(d) != 0 {
		t.Errorf("these differ: %v", d)
	}
}

func conformElection(t *testing.T, client *clientv3.Client, cfg Config) {
	a := opened(t, client, cfg)
	cfg.Sole = false
	b := opened(t, client, cfg)
	ctx := within(t)
	terms := make(chan *Term)
	lead := func(ctx context.Context, s *Store, name string) chan error {
		done := make(chan error, 1)
		go func() {
			done <- s.Lead(ctx, "reaper", name, func(ctx context.Context, term *Term) error {
				terms <- term
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		return done
	}
	doneA := lead(ctx, a, "a")
	term := <-terms
	second, stopB := context.WithCancel(ctx)
	defer stopB()
	doneB := lead(second, b, "b")

	// While a transaction of the leader is under way, its lease ends and the other
	// server takes over.
	id, err := a.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	err = a.Update(ctx, func(tx *Tx) error {
		if err := term.Guard(tx); err != nil {
			return err
		}
		if runs++; runs == 1 {
			if _, err := client.Revoke(ctx, id); err != nil {
				t.Error(err)
			}
			<-terms
		}
		return Create(tx, ClusterKey("stale"), &fleet.Cluster{})
	})
	if !errors.Is(err, ErrDeposed) {
		t.Errorf("a deposed leader's write: %v", err)
	}
	if snap, err := b.Fresh(ctx); err != nil || snap.Cluster("stale") != nil || snap.Election("reaper").Server != "b" {
		t.Errorf("a deposed leader wrote, or none leads: %v, %+v", err, snap.Election("reaper"))
	}
	if err := <-doneA; !errors.Is(err, ErrDeposed) {
		t.Errorf("the deposed leader's term ended with %v", err)
	}
	stopB()
	if err := <-doneB; !errors.Is(err, context.Canceled) {
		t.Errorf("the second term ended with %v", err)
	}
	if snap, err := b.Fresh(ctx); err != nil || snap.Election("reaper") != nil {
		t.Errorf("it did not resign: %v, %+v", err, snap.Election("reaper"))
	}
}
