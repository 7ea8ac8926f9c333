package rows

import (
	"context"

	"github.com/ashore/ashore/internal/store"
)

// maxPending is how many changed rows are noted for one reader. Where more have
// changed, all of its rows are compared.
const maxPending = 1024

// A reader is a stream's place among the watchers.
type reader struct {
	watchers  *Watchers     // constant, as is what follows
	run       *run          // that wakes it
	principal string        // whom its place is counted for
	selected  []selection   // what it has asked for
	rights    Rights        // what it may
	wake      chan struct{} // has something where rows are pending

	prev    *store.Snapshot  // before the first pending change, nil where none is; guarded by Watchers.mu
	pending map[row]struct{} // rows that may have changed since prev; guarded by Watchers.mu
	all     bool             // any of its rows may have changed since prev; guarded by Watchers.mu
}

// markRow notes that a row may have changed after a snapshot. The caller has locked the
// watchers.
func (r *reader) markRow(prev *store.Snapshot, one row) {
	if r.prev == nil {
		r.prev = prev
	}
	if !r.all {
		if r.pending == nil {
			r.pending = map[row]struct{}{}
		}
		r.pending[one] = struct{}{}
		if len(r.pending) > maxPending {
			r.all, r.pending = true, nil
		}
	}
	r.signal()
}

// markAll notes that any row, or the reader's rights, may have changed after a
// snapshot. The caller has locked the watchers.
func (r *reader) markAll(prev *store.Snapshot) {
	if r.prev == nil {
		r.prev = prev
	}
	r.all, r.pending = true, nil
	r.signal()
}

func (r *reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// A batch is what may have changed for a reader from one snapshot to another. Prev is
// nil where nothing has.
type batch struct {
	prev, next *store.Snapshot
	rows       map[row]struct{}
	all        bool
}

// popBatch returns what is pending; nothing is, then.
func (r *reader) popBatch() batch {
	r.watchers.mu.Lock()
	defer r.watchers.mu.Unlock()
	b := batch{r.prev, r.run.snap, r.pending, r.all}
	r.prev, r.pending, r.all = nil, nil, false
	return b
}

// waitForRevision returns a snapshot of a revision or a later one; what is pending from then on
// has changed since. It waits until the run is there.
func (r *reader) waitForRevision(ctx context.Context, revision int64) (*store.Snapshot, error) {
	for {
		snap, advanced := r.snapshotFrom(revision)
		if snap != nil {
			return snap, nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.run.ended:
			return nil, r.run.err
		}
	}
}

// snapshotFrom returns the run's snapshot, with nothing pending, where it is of a revision
// or a later one. Otherwise it returns what tells that the run has moved on.
func (r *reader) snapshotFrom(revision int64) (*store.Snapshot, <-chan struct{}) {
	r.watchers.mu.Lock()
	defer r.watchers.mu.Unlock()
	if r.run.snap.Revision() < revision {
		return nil, r.run.advanced
	}
	r.prev, r.pending, r.all = nil, nil, false
	return r.run.snap, nil
}
