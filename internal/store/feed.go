package store

import (
	"context"
	"sort"
)

// ChangeKind says what changed: a kind of records, or the kind that the record is a
// part of.
type ChangeKind struct{ k *kind }

// String returns the path of the kind's records, "" for unknown records.
func (c ChangeKind) String() string {
	if c.k == nil {
		return ""
	}
	return c.k.path
}

// UnknownChanged is the kind of changes of records that this version does not know.
var UnknownChanged ChangeKind

// Change names a record that was written or deleted. Names are in the order of the
// record's path. For ECS's records they mostly are the cluster and an id.
type Change struct {
	Kind  ChangeKind
	Names Names
}

// Advance is one step of the store: the snapshots before and after it, and the changes
// between them. A record that changed several times may be named several times.
type Advance struct {
	Prev, Next *Snapshot
	Changes    []Change
}

// MayMakeRoom says whether a change may affect placement on a host. Changes of the
// host's tasks don't count.
func (a *Advance) MayMakeRoom(c Change) bool {
	switch c.Kind {
	case InstanceChanged, SessionChanged:
		return true
	case InstanceHealthChanged:
		return a.Prev.InstanceHealth(c.Names[0], c.Names[1]).EngineUnreachable() != a.Next.InstanceHealth(c.Names[0], c.Names[1]).EngineUnreachable()
	}
	return false
}

// maxHistory is how many changes the store keeps for feeds. A feed that is further
// behind compares its snapshot with the newest one instead.
const maxHistory = 1 << 15

// history holds the newest changes, from which feeds catch up.
type history struct {
	steps []step
	first int           // number of steps[0]; the count begins when the store opens
	after int64         // every change of a later revision is in steps
	size  int           // changes in steps
	more  chan struct{} // closed at the next step
}

// A step is what has changed from one snapshot to the next.
type step struct {
	revision int64 // of the later snapshot
	changes  []Change
}

func (h *history) add(revision int64, changes []Change) {
	h.steps = append(h.steps, step{revision, changes})
	for h.size += len(changes); h.size > maxHistory || len(h.steps) > maxHistory; h.first++ {
		h.size -= len(h.steps[0].changes)
		h.after = h.steps[0].revision
		h.steps[0] = step{}
		h.steps = h.steps[1:]
	}
	close(h.more)
	h.more = make(chan struct{})
}

// Since returns the records that have changed after a revision, as Snapshot.Revision
// counts, up to the newest snapshot at least. It may return a record several times, and
// a record that changed shortly before the revision. ok is false if the store has
// dropped some of these changes, or if its newest snapshot is older than the revision.
func (s *Store) Since(revision int64) (changes []Change, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &s.history
	if revision < h.after || revision > s.snap.Load().Revision() {
		return nil, false
	}
	from := sort.Search(len(h.steps), func(i int) bool { return h.steps[i].revision > revision })
	for _, one := range h.steps[from:] {
		changes = append(changes, one.changes...)
	}
	return changes, true
}

func (h *history) next() int { return h.first + len(h.steps) }

// Feed follows the store from one snapshot on. It belongs to one goroutine. It needs no
// Close. A feed that no one reads keeps one snapshot in memory.
type Feed struct {
	s    *Store
	at   int // number of the next step
	last *Snapshot
}

// Follow returns a feed and the snapshot at which the feed starts. Next returns the
// changes after that snapshot.
func (s *Store) Follow() (*Snapshot, *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snap.Load(), &Feed{s: s, at: s.history.next(), last: s.snap.Load()}
}

// Next waits for the next advance. It merges all advances that are already there into
// one, so a slow reader never falls far behind. It returns an error when ctx or the
// store ends.
func (f *Feed) Next(ctx context.Context) (Advance, error) {
	for {
		f.s.mu.Lock()
		more := f.s.history.more
		if f.at < f.s.history.next() {
			break
		}
		f.s.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return Advance{}, ctx.Err()
		case <-f.s.ctx.Done():
			return Advance{}, f.s.Err()
		}
	}
	h := &f.s.history
	a := Advance{Prev: f.last, Next: f.s.snap.Load()}
	behind := f.at < h.first
	if !behind {
		for _, one := range h.steps[f.at-h.first:] {
			a.Changes = append(a.Changes, one.changes...)
		}
	}
	f.at = h.next()
	f.s.mu.Unlock()
	if behind {
		a.Changes = diff(tab(a.Prev), tab(a.Next))
	}
	f.last = a.Next
	return a, nil
}
