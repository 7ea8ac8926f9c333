package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

// Tombstones are bounded in number while tasks end, and in age while nothing happens, in
// memory and in the journal. The newest stay, and are sent to the server.
func TestTombstonesAreBounded(t *testing.T) {
	const bound, more = 6000, 1000
	count := func(r *rig) (n int) {
		if err := r.journal.Put(journal.Meta, "written", nil).Wait(); err != nil { // and everything before it
			t.Fatal(err)
		}
		if err := r.journal.Each(journal.Tombstones, func(string, []byte) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	journaled(t, engine.Config{Tombstones: bound}, fake.Config{}, func(r *rig) {
		// Some orders at the same time, as the session sends them.
		commits := make(chan func() error)
		var sessions sync.WaitGroup
		for range 8 {
			sessions.Go(func() {
				for commit := range commits {
					if err := commit(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := range bound + more {
			commits <- r.Accept(stopOf(fmt.Sprint("task/", i)))
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		close(commits)
		sessions.Wait()
		time.Sleep(time.Minute)
		if n := count(r); n != bound {
			t.Errorf("%d tombstones in the journal", n)
		}
		_, stones := r.Inventory()
		if len(stones) != 5000 {
			t.Fatalf("%d tombstones are told", len(stones))
		}
		for i, s := range stones {
			if i > 0 && s.StoppedAt > stones[i-1].StoppedAt {
				t.Fatalf("%+v is newer than %+v", s, stones[i-1])
			}
		}
		first, last := run("task/0", box("a", true, "exit 0")), run(fmt.Sprint("task/", bound+more-1), box("a", true, "exit 0"))
		r.clearReports()
		r.accept(first, last)
		time.Sleep(time.Minute)
		r.expect("task/0", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n") // its tombstone was removed
		if got := r.story(last.Arn); !strings.HasSuffix(got, "is not started again)\n") {
			t.Error(got)
		}
		r.die()
		r.live()
		if n := count(r); n != bound {
			t.Errorf("%d tombstones after a restart", n)
		}
		time.Sleep(8 * 24 * time.Hour)
		if n := count(r); n != 0 {
			t.Errorf("%d tombstones a week later", n)
		}
		if _, stones := r.Inventory(); len(stones) != 0 {
			t.Errorf("%d are told", len(stones))
		}
	})
}
