package rows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
)

func id(n int) string { return fmt.Sprintf("%032x", n) }

// some writes tasks 0 to n-1 of a cluster's service, of one team.
func some(t testing.TB, st *store.Store, cluster, service, team string, n int) {
	t.Helper()
	for from := 0; from < n; from += 50 {
		put(t, st, func(tx *store.Tx) error {
			for i := from; i < min(n, from+50); i++ {
				if err := newTask(tx, cluster, id(i), service, team); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// A reader that comes back gets what has changed, where its server knows it, and else
// the whole state; what it has it drops at the end of that.
func TestResume(t *testing.T) {
	v, stores := tasks(), open(t, 1)
	st := stores[0]
	some(t, st, "c", "s", "a", 40)
	w := watchers(st, v)
	f := newFollower(t, allowed(t, everything), of("c", ""))
	f.begin(w, "p")
	f.has(v, st.Snapshot())
	again := func(what string, resets int, change func()) {
		t.Helper()
		if err := f.stop(); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		before, told := f.resets, 0
		synced := f.synced
		change()
		f.tell = func(Row) { told++ }
		f.begin(w, "p")
		f.await(what, func() bool { return f.synced == synced+1 })
		f.has(v, st.Snapshot())
		if f.resets-before != resets {
			t.Errorf("%s: %d resets, not %d", what, f.resets-before, resets)
		}
		if want := 3; resets == 0 && told > want {
			t.Errorf("%s: %d rows were told", what, told)
		}
	}
	again("nothing has changed", 0, func() {})
	again("three have changed", 0, func() {
		put(t, st, func(tx *store.Tx) error { return report(tx, "c", id(1), fleet.TaskRunning) })
		put(t, st, func(tx *store.Tx) error { return forget(tx, "c", id(2)) })
		put(t, st, func(tx *store.Tx) error { return newTask(tx, "c", id(99), "s", "a") })
		put(t, st, func(tx *store.Tx) error { return newTask(tx, "d", id(99), "s", "a") }) // of another cluster
	})
	again("another history", 1, func() { f.history = "other" })
	again("another selection", 1, func() { f.sel = []Select{of("c", "s")} })
	again("a revision that is to come", 1, func() { *f.after += 1 << 40 })
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A server that has begun later than the reader does not know what has changed before.
func TestResumeAtAnotherServer(t *testing.T) {
	v, stores := tasks(), open(t, 2)
	some(t, stores[0], "c", "s", "a", 10)
	one, two := watchers(stores[0], v), watchers(stores[1], v)
	f := newFollower(t, allowed(t, everything), of("c", ""))
	f.begin(one, "p")
	f.has(v, stores[0].Snapshot())
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	old := *f.after
	put(t, stores[0], func(tx *store.Tx) error { return forget(tx, "c", id(3)) })
	if _, err := stores[1].Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.begin(two, "p")
	f.has(v, stores[0].Snapshot())
	if f.resets != 0 {
		t.Error("the other server does not know what has changed a moment ago")
	}
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	late := open(t, 1)[0] // as if it had begun after all that
	f.after = &old
	w := watchers(late, v)
	f.history = w.history(late.Snapshot(), &Request{Principal: "p", Select: f.sel})
	if *f.after = late.Snapshot().Revision() - 1; *f.after < 0 {
		t.Fatal("there is no earlier revision")
	}
	f.begin(w, "p")
	f.await("told anew", func() bool { return f.resets == 1 && f.synced == 3 })
	if len(f.rows) != 0 {
		t.Errorf("%d rows are left of what was before the reset", len(f.rows))
	}
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// Tags decide who sees what: a row comes and goes with them, and of others nothing is
// told, be it that they change, end, or are there at all; nor after a break.
func TestRights(t *testing.T) {
	v, st := tasks(), open(t, 1)[0]
	w := watchers(st, v)
	put(t, st, func(tx *store.Tx) error { return newTask(tx, "c", id(1), "s", "a") })
	put(t, st, func(tx *store.Tx) error { return newTask(tx, "c", id(2), "s", "b") })
	f := newFollower(t, allowed(t, ofTeamA), of("c", ""))
	var told []string
	f.tell = func(r Row) {
		told = append(told, r.Key[len(r.Key)-1:]+map[bool]string{true: " gone"}[string(r.Value) == "null"])
	}
	f.begin(w, "p")
	f.has(v, st.Snapshot())
	step := func(do func(tx *store.Tx) error) {
		t.Helper()
		put(t, st, do)
		f.has(v, st.Snapshot())
	}
	step(func(tx *store.Tx) error { return report(tx, "c", id(2), fleet.TaskRunning) })
	step(func(tx *store.Tx) error { return retag(tx, "c", id(2), "a") })
	step(func(tx *store.Tx) error { return retag(tx, "c", id(1), "b") })
	step(func(tx *store.Tx) error { return report(tx, "c", id(1), fleet.TaskRunning) })
	step(func(tx *store.Tx) error { return forget(tx, "c", id(1)) })
	step(func(tx *store.Tx) error { return report(tx, "c", id(2), fleet.TaskStopped) })
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := strings.Join(told, ", "); got != "1, 2, 1 gone, 2" {
		t.Errorf("told %s", got)
	}
	// While the reader is away one goes out of its sight and one that it never saw ends.
	told = nil
	put(t, st, func(tx *store.Tx) error { return newTask(tx, "c", id(3), "s", "b") })
	put(t, st, func(tx *store.Tx) error { return forget(tx, "c", id(3)) })
	put(t, st, func(tx *store.Tx) error { return newTask(tx, "c", id(4), "s", "b") })
	put(t, st, func(tx *store.Tx) error { return retag(tx, "c", id(2), "b") })
	f.begin(w, "p")
	f.has(v, st.Snapshot())
	if len(told) != 0 || f.resets != 1 {
		t.Errorf("told %q with %d resets, not nothing with one", told, f.resets)
	}
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A key that is deleted ends its streams, and no other.
func TestKeyDeleted(t *testing.T) {
	v, st := tasks(), open(t, 1)[0]
	w := watchers(st, v)
	key := func(id string) store.Key[fleet.AccessKey] { return store.AccessKeyKey(id) }
	put(t, st, func(tx *store.Tx) error {
		return errors.Join(store.Create(tx, key("K1"), &fleet.AccessKey{ID: "K1"}), store.Create(tx, key("K2"), &fleet.AccessKey{ID: "K2"}))
	})
	some(t, st, "c", "s", "a", 3)
	ended := make(chan error, 1)
	rights := allowed(t, everything)
	first, second := newFollower(t, &guest{rights.policy, "K1"}, of("c", "")), newFollower(t, &guest{rights.policy, "K2"}, of("c", ""))
	go func() { ended <- first.end(w, "p") }()
	second.begin(w, "p")
	first.has(v, st.Snapshot())
	second.has(v, st.Snapshot())
	put(t, st, func(tx *store.Tx) error { store.Get(tx, key("K1")); return store.Delete(tx, key("K1")) })
	if err := <-ended; !errors.Is(err, errKeyGone) {
		t.Errorf("the stream ended by %v", err)
	}
	put(t, st, func(tx *store.Tx) error { return report(tx, "c", id(1), fleet.TaskRunning) })
	second.has(v, st.Snapshot())
	if err := second.stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A slow reader is told of the newest state alone, however much has changed, and has
// not more noted for it than maxPending rows and one snapshot.
func TestSlowReader(t *testing.T) {
	v, st := tasks(), open(t, 1)[0]
	w := watchers(st, v)
	const n = maxPending + 200
	some(t, st, "c", "s", "a", n)
	for _, changed := range []int{20, n} {
		f := newFollower(t, allowed(t, everything), of("c", ""))
		f.begin(w, "p")
		f.has(v, st.Snapshot())
		f.mu.Lock() // it takes nothing
		before := f.changes
		for round := range 3 {
			for from := 0; from < changed; from += 50 {
				put(t, st, func(tx *store.Tx) error {
					for i := from; i < min(changed, from+50); i++ {
						if err := report(tx, "c", id(i), []fleet.TaskStatus{fleet.TaskPending, fleet.TaskRunning, fleet.TaskStopped}[round]); err != nil {
							return err
						}
					}
					return nil
				})
			}
		}
		w.mu.Lock()
		for r := range w.readers {
			if len(r.pending) > maxPending {
				t.Errorf("%d rows are noted", len(r.pending))
			}
		}
		w.mu.Unlock()
		told := map[string]int{}
		f.tell = func(r Row) { told[r.Key]++ }
		f.mu.Unlock()
		f.has(v, st.Snapshot())
		if err := f.stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for key, times := range told {
			if times > 2 { // what it was being told when it stopped, and the rest
				t.Errorf("%s was told %d times", key, times)
			}
		}
		if f.changes == before || f.resets > 0 {
			t.Errorf("%d lines of changes, %d resets", f.changes-before, f.resets)
		}
	}
}

// A server has so many places, and the last ones are for principals that have few.
func TestPlaces(t *testing.T) {
	st := open(t, 1)[0]
	w := watchers(st, tasks())
	sel, err := w.findSelections([]Select{of("c", "")})
	if err != nil {
		t.Fatal(err)
	}
	var readers []*reader
	join := func(principal string) error {
		r, err := w.join(principal, sel, allowed(t, everything))
		if err == nil {
			readers = append(readers, r)
		}
		return err
	}
	for range maxReaders - reservedReaders {
		if err := join("greedy"); err != nil {
			t.Fatal(err)
		}
	}
	var full *FullError
	if err := join("greedy"); !errors.As(err, &full) || !strings.Contains(full.Message, "The last 100 are for others.") {
		t.Errorf("one principal has more than %d: %v", maxReaders-reservedReaders, err)
	}
	for range reservedReaders {
		if err := join("modest"); err != nil {
			t.Fatal(err)
		}
	}
	f := newFollower(t, allowed(t, everything), of("c", ""))
	if err := f.end(w, "third"); !errors.As(err, &full) || !strings.Contains(full.Message, "1000 watches") || f.synced > 0 {
		t.Errorf("stream %d: %v", maxReaders+1, err)
	}
	w.leave(readers[0])
	f.begin(w, "third")
	f.await("served", func() bool { return f.synced == 1 })
	for _, r := range readers[1:] {
		w.leave(r)
	}
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if w.run != nil || len(w.perPrincipal) > 0 {
		t.Errorf("something is left: %v, %v", w.run, w.perPrincipal)
	}
}

// What can't be read is not told as gone; what was deleted meanwhile is.
func TestUnreadable(t *testing.T) {
	st, etcd := storetest.OpenEtcd(t)
	v := tasks()
	w := watchers(st, v)
	some(t, st, "c", "s", "a", 3)
	f := newFollower(t, allowed(t, everything), of("c", ""))
	var told []string
	f.tell = func(r Row) {
		told = append(told, r.Key[len(r.Key)-1:]+map[bool]string{true: " gone"}[string(r.Value) == "null"])
	}
	f.begin(w, "p")
	f.has(v, st.Snapshot())
	told = nil
	key := store.TaskKey("c", id(1)).String()
	mend := storetest.Spoil(t, etcd, st, key)
	put(t, st, func(tx *store.Tx) error { return report(tx, "c", id(2), fleet.TaskRunning) })
	f.await("told of another", func() bool { return len(told) == 1 && told[0] == "2" })
	mend()
	f.has(v, st.Snapshot())
	storetest.Spoil(t, etcd, st, key)
	// The watchers have seen the record as one that can't be read.
	put(t, st, func(tx *store.Tx) error { return report(tx, "c", id(0), fleet.TaskRunning) })
	f.await("told of a third", func() bool { return told[len(told)-1] == "0" })
	if _, err := etcd.Delete(t.Context(), store.DefaultPrefix+"/v1/"+st.Site().Account+"/"+st.Site().Region+"/"+key); err != nil {
		t.Fatal(err)
	}
	f.await("told that it is gone", func() bool { return len(f.rows) == 2 })
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := strings.Join(told, ", "); got != "2, 1, 0, 1 gone" && got != "2, 0, 1 gone" {
		t.Errorf("told %s", got)
	}
}

// A view that panics at a change costs its readers a comparison of all rows, and nobody
// the stream.
func TestPanickingView(t *testing.T) {
	v, st := tasks(), open(t, 1)[0]
	touches := v.Touches[store.TaskChanged]
	v.Touches[store.TaskChanged] = func(prev, next *store.Snapshot, names store.Names, touch func(string)) {
		if names[1] == id(1) {
			panic("no such thing")
		}
		touches(prev, next, names, touch)
	}
	w := watchers(st, v)
	some(t, st, "c", "s", "a", 1)
	f := newFollower(t, allowed(t, everything), of("c", ""))
	f.begin(w, "p")
	f.has(v, st.Snapshot())
	put(t, st, func(tx *store.Tx) error {
		return errors.Join(newTask(tx, "c", id(1), "s", "a"), newTask(tx, "c", id(2), "s", "a"))
	})
	f.has(v, st.Snapshot())
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A stream where nothing happens says how far it is, every few seconds.
func TestHeartbeat(t *testing.T) {
	v, st := tasks(), open(t, 1)[0]
	w := watchers(st, v)
	f := newFollower(t, allowed(t, everything), of("c", ""))
	f.begin(w, "p")
	f.await("synced", func() bool { return f.synced == 1 })
	put(t, st, func(tx *store.Tx) error { return newTask(tx, "d", id(1), "s", "a") }) // nothing to it
	want := st.Snapshot().Revision()
	f.await("alive", func() bool { return f.beats > 0 && *f.after >= want })
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestInput(t *testing.T) {
	w := watchers(open(t, 1)[0], tasks())
	after := int64(-1)
	for _, req := range []Request{
		{}, {Select: []Select{{Kind: "nothing"}}}, {Select: []Select{of("none", "")}}, {Select: make([]Select, MaxSelect+1)}, {Select: []Select{of("c", "")}, After: &after},
	} {
		var input *InputError
		if err := w.Check(&req); !errors.As(err, &input) {
			t.Errorf("%+v: %v", req, err)
		}
		if err := w.Stream(t.Context(), req, func([]byte) error { t.Error("something was sent"); return nil }); !errors.As(err, &input) {
			t.Errorf("%+v: %v", req, err)
		}
	}
}
