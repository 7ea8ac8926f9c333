package store

import "context"

// ChangeKind says what changed: the kind of record, or the one that it is part of.
type ChangeKind struct{ k *kind }

// String is the path of the kind's records; "" is an unknown kind's.
func (c ChangeKind) String() string {
	if c.k == nil {
		return ""
	}
	return c.k.path
}

// UnknownChanged is the kind of records that this version does not know.
var UnknownChanged ChangeKind

// Change names a record that was written or deleted, by its names in the order of its
// path: of ECS's, mostly the cluster and an id.
type Change struct {
	Kind  ChangeKind
	Names Names
}

// Advance is one step of the store: the snapshots before and after, and what
// changed between them. A record that changed several times may be named
// several times.
type Advance struct {
	Prev, Next *Snapshot
	Changes    []Change
}

// MayMakeRoom says whether a change concerns what placement sees of a host,
// besides its tasks.
func (a *Advance) MayMakeRoom(c Change) bool {
	switch c.Kind {
	case InstanceChanged, SessionChanged:
		return true
	case InstanceHealthChanged:
		return a.Prev.InstanceHealth(c.Names[0], c.Names[1]).EngineAway() != a.Next.InstanceHealth(c.Names[0], c.Names[1]).EngineAway()
	}
	return false
}

// maxHistory is how many changes the store keeps for feeds. One that has
// fallen further behind compares its snapshot with the newest instead.
const maxHistory = 1 << 15

// history is what changed lately, for feeds to catch up.
type history struct {
	steps [][]Change
	first int           // number of steps[0]; steps are counted from the store's opening
	size  int           // changes in steps
	more  chan struct{} // closed at the next step
}

func (h *history) add(changes []Change) {
	h.steps = append(h.steps, changes)
	for h.size += len(changes); h.size > maxHistory || len(h.steps) > maxHistory; h.first++ {
		h.size -= len(h.steps[0])
		h.steps[0] = nil
		h.steps = h.steps[1:]
	}
	close(h.more)
	h.more = make(chan struct{})
}

func (h *history) next() int { return h.first + len(h.steps) }

// Feed follows the store from one snapshot on. It belongs to one goroutine. It
// needs no closing and holds, however long it is left alone, one snapshot.
type Feed struct {
	s    *Store
	at   int // number of the step to come
	last *Snapshot
}

// Follow returns a feed and the snapshot that it starts from: Next returns what
// changes after it.
func (s *Store) Follow() (*Snapshot, *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snap.Load(), &Feed{s: s, at: s.history.next(), last: s.snap.Load()}
}

// Next waits for the next advance. Advances that are already there come merged
// into one, so a slow consumer never falls far behind. It fails when the store
// ends.
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
		for _, changes := range h.steps[f.at-h.first:] {
			a.Changes = append(a.Changes, changes...)
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
