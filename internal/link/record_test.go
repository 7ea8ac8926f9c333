package link

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/ashore/ashore/internal/store"
)

// A connection that ends while it is being recorded leaves no record, even if its write
// takes effect long after the record's removal was asked for. Without isOrphan the record
// stays as long as the server runs (seen).
func TestRecordThatComesLate(t *testing.T) {
	w := newWorld(t)
	var slow atomic.Bool
	held, release := make(chan struct{}, 1), make(chan struct{})
	st := w.store(store.Config{Sole: true, Room: func(int64) error {
		if slow.CompareAndSwap(true, false) {
			held <- struct{}{}
			<-release
		}
		return nil
	}})
	seed(t, st)
	s, inst := w.server("s", st), instance(t, st)
	_, feed := st.Follow()
	if _, err := st.Lease(t.Context()); err != nil { // so that only the record's write is slow
		t.Fatal(err)
	}

	slow.Store(true)
	ctx, hangUp := context.WithCancel(t.Context())
	dialled := make(chan error, 1)
	go func() {
		conn, _, err := dialACS(ctx, s, "c", site.InstanceARN("c", inst))
		if err == nil {
			_ = conn.CloseNow()
		}
		dialled <- err
	}()
	<-held
	hangUp()
	if err := <-dialled; err == nil {
		t.Fatal("connected without a record")
	}
	s.conns.Wait() // the upgrade's handler has asked for the removal of its record
	eventually(t, "the record's removal", func() bool {
		s.recorder.mu.Lock()
		defer s.recorder.mu.Unlock()
		return len(s.recorder.ended) == 0
	})
	close(release)

	come := false
	within, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		a, err := feed.Next(within)
		if err != nil {
			t.Fatalf("the record of an ended connection stays (it has come: %v): %v", come, err)
		}
		is := a.Next.Session("c", inst) != nil
		if come && !is {
			break
		}
		come = come || is
	}
	// The instance can connect as ever.
	connect(t, s, inst, manners{})
	eventually(t, "a record", func() bool { return st.Snapshot().Session("c", inst) != nil })
}
