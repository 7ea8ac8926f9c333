package rows

import (
	"context"

	"github.com/ashore/ashore/internal/store"
)

// maxPending is the number of changed rows that are recorded for one reader. If more
// have changed, the reader compares all of its rows.
const maxPending = 1024

// A reader is the part of a stream that Watchers knows.
type reader struct {
	watchers  *Watchers     // this and the fields up to wake are constant
	run       *run          // the run that wakes the reader
	principal string        // the stream counts for its limit
	selected  []selection   // what the reader asked for
	rights    Rights        // what the reader may see
	wake      chan struct{} // has an element if rows are pending

	prev    *store.Snapshot  // before the first pending change, nil if there is none; guarded by Watchers.mu
	pending map[row]struct{} // rows that may have changed since prev; guarded by Watchers.mu
	all     bool             // any of its rows may have changed since prev; guarded by Watchers.mu
}

// markRow records that a row may have changed after a snapshot. The caller has locked
// the watchers.
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

// markAll records that any row, or the reader's rights, may have changed after a
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

// A batch is what may have changed for a reader between two snapshots. prev is nil if
// nothing has changed.
type batch struct {
	prev, next *store.Snapshot
	rows       map[row]struct{}
	all        bool
}

// popBatch returns what is pending, and clears it.
func (r *reader) popBatch() batch {
	r.watchers.mu.Lock()
	defer r.watchers.mu.Unlock()
	b := batch{r.prev, r.run.snap, r.pending, r.all}
	r.prev, r.pending, r.all = nil, nil, false
	return b
}

// waitForRevision waits until the run has reached a revision, and returns the run's
// snapshot. From then on, all changes after that snapshot become pending.
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

// snapshotFrom clears what is pending and returns the run's snapshot, if the snapshot
// has reached the revision. Otherwise it returns a channel that is closed when the run
// advances.
func (r *reader) snapshotFrom(revision int64) (*store.Snapshot, <-chan struct{}) {
	r.watchers.mu.Lock()
	defer r.watchers.mu.Unlock()
	if r.run.snap.Revision() < revision {
		return nil, r.run.advanced
	}
	r.prev, r.pending, r.all = nil, nil, false
	return r.run.snap, nil
}
