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

// recorder keeps the session records equal to the connections. It removes the records of
// ended connections. It writes records again that were lost with a lease. It retries
// failures with back-off, so a record outlives its connection only for as long as etcd is
// unavailable.
type recorder struct {
	s    *Server
	wake chan struct{}

	mu      sync.Mutex
	ended   map[string]peer // id of an ended connection → its instance; guarded by mu
	pending map[peer]bool   // records to compare; true: write it in any case; guarded by mu
}

func newRecorder(s *Server) *recorder {
	return &recorder{s: s, wake: make(chan struct{}, 1), ended: map[string]peer{}, pending: map[peer]bool{}}
}

// noteEnded requests the removal of an ended connection's record, unless a newer
// connection owns it.
func (r *recorder) noteEnded(p peer, connection string) {
	r.mu.Lock()
	r.ended[connection] = p
	r.mu.Unlock()
	r.wakeUp()
}

// requestCheck requests the comparison of an instance's record with its connection here.
func (r *recorder) requestCheck(p peer) {
	r.mu.Lock()
	r.pending[p] = r.pending[p] || false
	r.mu.Unlock()
	r.wakeUp()
}

// wakeUp wakes run.
func (r *recorder) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run processes requests and lost leases until the server closes.
func (r *recorder) run() {
	const first, most = 100 * time.Millisecond, 10 * time.Second
	delay := first
	for {
		// Without sessions there may be no lease, so none can be lost.
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
			// If no record could be written, for example because the instances are
			// gone, there is no new lease, and the old one still counts as lost.
			if pace.Sleep(r.s.ctx, pace.About(first)) != nil {
				return
			}
		default:
			delay = first
		}
	}
}

// rejoinTimeout is how long a server that has lost its lease tries to get a new one. The
// lease was lost because etcd was unreachable for the lease's whole time. If it still is,
// another server may reach it, and the agents should connect there.
const rejoinTimeout = 2 * time.Second

// writePending processes what is pending. For all it has only rejoinTimeout.
func (r *recorder) writePending(all bool) error {
	ctx := r.s.ctx
	if all {
		short, cancel := context.WithTimeout(ctx, rejoinTimeout)
		defer cancel()
		ctx = short
	}
	return r.processPending(ctx)
}

// markAll requests that the record of every session is written again.
func (r *recorder) markAll() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.s.sessions {
		r.pending[p] = true
	}
}

// processPending processes all requests. A request that fails stays pending.
func (r *recorder) processPending(ctx context.Context) error {
	r.mu.Lock()
	gone, todo := r.ended, r.pending
	r.ended, r.pending = map[string]peer{}, map[peer]bool{}
	r.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(64) // the store joins concurrent updates
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

// isolate runs f on an instance's record. If f panics or the record can't be decoded,
// isolate logs that and returns nil: the next change of the record brings it up again, and
// the other records must not wait for it.
func (r *recorder) isolate(p peer, f func() error) error {
	err := contain.Do(f)
	if store.IsItemError(err) {
		r.s.cfg.Log.Error("link: a session record is left as it is", append(contain.Attrs(err), "instance", p)...)
		return nil
	}
	return err
}

// renewRecord writes a live session's record again. If a newer connection owns the record,
// it ends the session instead.
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

// writeRecord makes rec the instance's session record, and stores its versions and its
// boot in the instance. It refuses instances that may not connect. It returns
// errSuperseded if the instance has another connection than previous.
func (s *Server) writeRecord(ctx context.Context, p peer, rec *fleet.InstanceSession, previous string) error {
	return updateStore(ctx, s.store, func(tx *store.Tx) error {
		k := store.InstanceKey(p.cluster, p.id)
		inst := store.Get(tx, k)
		if inst == nil || inst.Status == fleet.InstanceInactive {
			return inactiveRefusal(p)
		}
		old := store.Get(tx, store.SessionKey(p.cluster, p.id))
		if old != nil && old.Connection != previous && !old.Run.Same(rec.Run) {
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

// removeRecord removes the instance's session record if it still belongs to the given
// connection. So a connection that ends late does not remove a newer one's record.
func removeRecord(ctx context.Context, st *store.Store, p peer, connection string) error {
	return updateStore(ctx, st, func(tx *store.Tx) error {
		rec := store.Get(tx, store.SessionKey(p.cluster, p.id))
		if rec == nil || rec.Connection != connection {
			return nil
		}
		return store.Delete(tx, store.SessionKey(p.cluster, p.id))
	})
}

// removeStaleRecords removes all session records. On a store that no other server uses, an
// earlier process has left them, and its lease may last some seconds more.
func removeStaleRecords(ctx context.Context, st *store.Store) error {
	var g errgroup.Group
	g.SetLimit(64)
	for key, rec := range st.Snapshot().Sessions() {
		cluster, id, _ := strings.Cut(key, "/")
		g.Go(func() error { return removeRecord(ctx, st, peer{cluster, id}, rec.Connection) })
	}
	return g.Wait()
}

// updateStore runs a transaction with the time limit storeWait.
func updateStore(ctx context.Context, st *store.Store, fn func(*store.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	return st.Update(ctx, fn)
}
