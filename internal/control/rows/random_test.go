package rows

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// TestRandom writes at random by two servers while readers come and go between these,
// are slow, and see what tags let them see. In the end each has the state as it is, none
// has been told a value that it may not see, and one whose rights follow from tags has
// heard of no key but those that it has seen.
func TestRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	stores := open(t, 2)
	v := tasks()
	servers := []*Watchers{watchers(stores[0], v), watchers(stores[1], v)}
	type one struct {
		*follower
		gate chan struct{}
	}
	var all []one
	for i := range 12 {
		rights := allowed(t, everything)
		if i%2 == 0 {
			rights = allowed(t, ofTeamA)
		}
		sel := [][]Select{{of("c", "")}, {of("c", "s0")}, {of("d", "s1"), of("c", "s2")}, {of("c", "s1"), of("c", ""), of("d", "")}}[r.IntN(4)]
		f := one{newFollower(t, rights, sel...), make(chan struct{}, 1000)}
		f.follower.gate = f.gate
		f.tell = func(row Row) {
			if i%2 != 0 {
				return
			}
			if value := string(row.Value); value == "null" && !f.ever[row.Key] {
				t.Errorf("the end of %s was told, which was never seen", row.Key)
			} else if value != "null" && !strings.Contains(value, `"value":"a"`) {
				t.Errorf("a row of another team was told: %s", value)
			}
		}
		f.begin(servers[i%2], "p")
		all = append(all, f)
	}
	const writes = 500
	for range writes {
		write(t, r, stores[r.IntN(2)])
		for _, f := range all {
			for range r.IntN(3) {
				select {
				case f.gate <- struct{}{}:
				default:
				}
			}
		}
		if r.IntN(10) == 0 {
			f := all[r.IntN(len(all))]
			if err := f.stop(); err == nil {
				t.Error("a stream that was stopped had no error")
			}
			if f.after != nil && r.IntN(8) == 0 {
				*f.after = max(0, *f.after-r.Int64N(5)) // older than what it has: it is told some things again
			}
			w := servers[r.IntN(2)]
			for _, st := range stores {
				if _, err := st.Fresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			f.begin(w, "p")
		}
	}
	changes, resets, synced := 0, 0, 0
	for _, st := range stores {
		if _, err := st.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range all {
		close(f.gate)
		f.has(v, stores[0].Snapshot())
		if err := f.stop(); err == nil {
			t.Error("a stream that was stopped had no error")
		}
		changes, resets, synced = changes+f.changes, resets+f.resets, synced+f.synced
	}
	t.Logf("%d lines of changes, %d whole states again, %d beginnings", changes, resets, synced)
	if changes == 0 || synced < len(all) {
		t.Error("that showed nothing")
	}
	for _, w := range servers {
		if len(w.readers)+len(w.bySelection)+len(w.viewCount)+len(w.perPrincipal) > 0 || w.run != nil {
			t.Errorf("readers are left: %+v", w)
		}
	}
}

// write does one thing, or several in one transaction.
func write(t *testing.T, r *rand.Rand, st *store.Store) {
	t.Helper()
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	n, ops := 1+r.IntN(4), make([]func(tx *store.Tx) error, 0, 4)
	for range n {
		cluster, service, team, id := pick([]string{"c", "d"}), pick([]string{"s0", "s1", "s2"}), pick([]string{"a", "b"}), fleet.NewID()
		what, at := r.IntN(10), r.IntN(1<<20)
		ops = append(ops, func(tx *store.Tx) error {
			there := ids(tx.Snapshot(), cluster)
			if what < 3 || len(there) == 0 {
				return newTask(tx, cluster, id, service, team)
			}
			old := there[at%len(there)]
			if store.Get(tx, store.TaskKey(cluster, old)) == nil {
				return nil // forgotten in this transaction
			}
			switch {
			case what < 6:
				return report(tx, cluster, old, []fleet.TaskStatus{fleet.TaskRunning, fleet.TaskPending, fleet.TaskStopped}[at%3])
			case what < 8:
				return retag(tx, cluster, old, team)
			}
			return forget(tx, cluster, old)
		})
	}
	put(t, st, func(tx *store.Tx) error {
		for _, op := range ops {
			if err := op(tx); err != nil {
				return err
			}
		}
		return nil
	})
}
