package link

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/store"
	"golang.org/x/sync/errgroup"
)

// recorder keeps session records in line with the connections: it removes those
// of ended ones, and writes those again that vanished with a lost lease. What
// fails is tried again with back-off, so a record never outlives its connection
// by more than etcd's outage.
type recorder struct {
	s    *Server
	wake chan struct{}

	mu      sync.Mutex
	ended   map[string]peer // ended connection → its instance; guarded by mu
	pending map[peer]bool   // to be compared; true: to be written whatever is there; guarded by mu
}

func newRecorder(s *Server) *recorder {
	return &recorder{s: s, wake: make(chan struct{}, 1), ended: map[string]peer{}, pending: map[peer]bool{}}
}

// noteEnded notes that a connection is over: its record must go, unless a newer
// connection owns it.
func (r *recorder) noteEnded(p peer, connection string) {
	r.mu.Lock()
	r.ended[connection] = p
	r.mu.Unlock()
	r.wakeUp()
}

// requestCheck notes that an instance's record differs from its connection here.
func (r *recorder) requestCheck(p peer) {
	r.mu.Lock()
	r.pending[p] = r.pending[p] || false
	r.mu.Unlock()
	r.wakeUp()
}

func (r *recorder) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *recorder) run() {
	const first, most = 100 * time.Millisecond, 10 * time.Second
	delay := first
	for {
		// Without sessions there need not be a lease, so none is missed.
		var lost <-chan struct{}
		if r.s.CountConnected() > 0 {
			lost = r.s.store.LeaseLost()
		}
		all := false
		select {
		case <-r.s.ctx.Done():
			return
		case <-r.wake:
		case <-lost:
			r.s.cfg.Log.Warn("link: lease lost, session records are written again")
			r.markAll()
			all = true
		}
		err := r.writePending(all)
		switch {
		case r.s.ctx.Err() != nil:
			return
		case err != nil && all && !r.s.store.Sole():
			r.s.cfg.Log.Warn("link: the state is out of reach, agents are sent to other servers", "err", err)
			r.s.endSessions()
			r.wakeUp()
		case err != nil:
			r.s.cfg.Log.Warn("link: session records lag behind", "err", err, "retry_in", delay)
			if pace.Sleep(r.s.ctx, pace.About(delay)) != nil {
				return
			}
			delay = min(2*delay, most)
			r.wakeUp()
		case all:
			delay = first
			// Where no record could be written, as for instances that are no
			// more, there is no new lease either and the old one stays lost.
			if pace.Sleep(r.s.ctx, pace.About(first)) != nil {
				return
			}
		default:
			delay = first
		}
	}
}

// rejoinTimeout is how long a server that has lost its lease tries to get another. Where
// it can't, its agents are better off with a server that can: the lease was lost
// because etcd had not been reached for its whole time.
const rejoinTimeout = 2 * time.Second

func (r *recorder) writePending(all bool) error {
	ctx := r.s.ctx
	if all {
		short, cancel := context.WithTimeout(ctx, rejoinTimeout)
		defer cancel()
		ctx = short
	}
	return r.processPending(ctx)
}

// markAll marks the record of every session to be written again.
func (r *recorder) markAll() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.s.sessions {
		r.pending[p] = true
	}
}

// processPending does what there is to do. What fails stays to be done.
func (r *recorder) processPending(ctx context.Context) error {
	r.mu.Lock()
	gone, todo := r.ended, r.pending
	r.ended, r.pending = map[string]peer{}, map[peer]bool{}
	r.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(64) // the store joins what runs at once
	for connection, p := range gone {
		g.Go(func() error {
			err := r.isolate(p, func() error { return removeRecord(ctx, r.s.store, p, connection) })
			if err != nil {
				r.mu.Lock()
				r.ended[connection] = p
				r.mu.Unlock()
			}
			return err
		})
	}
	for p, force := range todo {
		g.Go(func() error {
			err := r.isolate(p, func() error { return r.renewRecord(ctx, p, force) })
			if err != nil {
				r.mu.Lock()
				r.pending[p] = r.pending[p] || force
				r.mu.Unlock()
			}
			return err
		})
	}
	return g.Wait()
}

// isolate does something with an instance's record. Where that panics, or the record
// can't be read, it is left: the next change of the record brings it up again, and
// the others' must not wait for it.
func (r *recorder) isolate(p peer, f func() error) error {
	err := contain.Do(f)
	if store.IsItemError(err) {
		r.s.cfg.Log.Error("link: a session record is left as it is", append(contain.Attrs(err), "instance", p)...)
		return nil
	}
	return err
}

// renewRecord writes a live session's record again, or ends the session where a newer
// connection owns the record.
func (r *recorder) renewRecord(ctx context.Context, p peer, force bool) error {
	x := r.s.findSession(p)
	if x == nil {
		return nil
	}
	var newer bool
	err := updateStore(ctx, r.s.store, func(tx *store.Tx) error {
		rec := store.Get(tx, store.SessionKey(p.cluster, p.id))
		newer = rec != nil && rec.Connection != x.id
		if newer || (rec != nil && !force) || store.Get(tx, store.InstanceKey(p.cluster, p.id)) == nil {
			return nil
		}
		return store.PutLeased(tx, store.SessionKey(p.cluster, p.id), &x.record)
	})
	if err == nil && newer {
		x.requestClose(closeRefused, "superseded by a newer connection")
	}
	return err
}

// writeRecord makes connection rec the instance's newest, and keeps what runs
// there for the time after it. It refuses for an instance that may not connect, and
// where another connection has come since there was one of the id there.
func (s *Server) writeRecord(ctx context.Context, p peer, rec *fleet.InstanceSession, there string) error {
	return updateStore(ctx, s.store, func(tx *store.Tx) error {
		k := store.InstanceKey(p.cluster, p.id)
		inst := store.Get(tx, k)
		if inst == nil || inst.Status == fleet.InstanceInactive {
			return inactiveRefusal(p)
		}
		old := store.Get(tx, store.SessionKey(p.cluster, p.id))
		if old != nil && old.Connection != there && !old.Run.Same(rec.Run) {
			return errSuperseded
		}
		rec.Since = s.renewals.connectedSince(p, old, rec.ConnectedAt)
		next := *inst
		if v := rec.VersionInfo(); v != inst.Versions {
			next.Versions = v
			next.Version++
		}
		if rec.Run.Boot != "" {
			next.Boot = rec.Run.Boot
		}
		if next.Version != inst.Version || next.Boot != inst.Boot {
			if err := store.Put(tx, k, &next); err != nil {
				return err
			}
		}
		return store.PutLeased(tx, store.SessionKey(p.cluster, p.id), rec)
	})
}

// removeRecord removes the instance's record if it is still that of the given
// connection: a late end must not disconnect a newer one.
func removeRecord(ctx context.Context, st *store.Store, p peer, connection string) error {
	return updateStore(ctx, st, func(tx *store.Tx) error {
		rec := store.Get(tx, store.SessionKey(p.cluster, p.id))
		if rec == nil || rec.Connection != connection {
			return nil
		}
		return store.Delete(tx, store.SessionKey(p.cluster, p.id))
	})
}

// removeStaleRecords removes every session record: those of an earlier process on a
// store of our own, whose lease may have some seconds left.
func removeStaleRecords(ctx context.Context, st *store.Store) error {
	var g errgroup.Group
	g.SetLimit(64)
	for key, rec := range st.Snapshot().Sessions() {
		cluster, id, _ := strings.Cut(key, "/")
		g.Go(func() error { return removeRecord(ctx, st, peer{cluster, id}, rec.Connection) })
	}
	return g.Wait()
}

func updateStore(ctx context.Context, st *store.Store, fn func(*store.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	return st.Update(ctx, fn)
}
