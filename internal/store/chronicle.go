package store

import (
	"context"
	"sort"
)

// maxMoments is how many moments the store keeps at least for readers. It removes old
// ones when there are about twice as many.
const maxMoments = 1 << 13

// moments holds the newest changes, change by change.
type moments struct {
	batches [][]Moment // in order; each has whole revisions, and none is empty
	size    int        // moments in batches
	after   int64      // batches has every moment of a later revision
	tip     int64      // the newest revision
}

// add appends a batch of moments. tip is the newest revision.
func (m *moments) add(batch []Moment, tip int64) {
	m.tip = tip
	if len(batch) == 0 {
		return
	}
	m.batches = append(m.batches, batch)
	m.size += len(batch)
	for m.size > 2*maxMoments && m.size-len(m.batches[0]) >= maxMoments {
		oldest := m.batches[0]
		m.after = oldest[len(oldest)-1].Revision
		m.size -= len(oldest)
		m.batches[0] = nil
		m.batches = m.batches[1:]
	}
}

// since returns the moments of one batch after a revision, and whether there are later
// batches.
func (m *moments) since(rev int64) (some []Moment, more bool) {
	i := sort.Search(len(m.batches), func(i int) bool {
		b := m.batches[i]
		return b[len(b)-1].Revision > rev
	})
	if i == len(m.batches) {
		return nil, false
	}
	b := m.batches[i]
	from := sort.Search(len(b), func(i int) bool { return b[i].Revision > rev })
	return b[from:], i < len(m.batches)-1
}

// forget starts again at a revision. The store does not know the changes that led to
// it.
func (m *moments) forget(rev int64) { *m = moments{after: rev, tip: rev} }

// Chronicle reads what changed, change by change, in the order of revisions. It belongs
// to one goroutine. It needs no Close. A reader that does not call Next delays nothing
// and keeps nothing in memory.
type Chronicle struct {
	s  *Store
	at int64
}

// Chronicle returns a Chronicle that begins after a revision, as Snapshot.Revision
// counts. The revision may be a snapshot's, or the Position of an earlier Chronicle,
// also on another server.
func (s *Store) Chronicle(after int64) *Chronicle { return &Chronicle{s, after} }

// OldestMoment returns the revision after which the store knows every change.
func (s *Store) OldestMoment() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moments.after
}

// A Passage is what one call of Next returns.
type Passage struct {
	// Missed says that the store does not know the changes after revision MissedAfter
	// up to MissedThrough. The changes of this Passage come after them.
	Missed                     bool
	MissedAfter, MissedThrough int64
	Moments                    []Moment // of whole revisions
	Through                    int64    // the Passage covers everything up to this revision
}

// passageSize is about how many moments one Passage has at most.
const passageSize = 256

// Position returns the revision up to which Next has returned everything.
func (c *Chronicle) Position() int64 { return c.at }

// Next waits for the changes after the last Passage and returns them. The caller must
// not change the moments. If ctx ends first, Position may still have moved, because
// most changes have no moments.
func (c *Chronicle) Next(ctx context.Context) (Passage, error) {
	for {
		c.s.mu.Lock()
		m, more := &c.s.moments, c.s.history.more
		p := Passage{Through: c.at}
		if c.at < m.after {
			p = Passage{Missed: true, MissedAfter: c.at, MissedThrough: m.after, Through: m.after}
		}
		some, later := m.since(p.Through)
		to := min(passageSize, len(some))
		for to > 0 && to < len(some) && some[to].Revision == some[to-1].Revision {
			to++
		}
		p.Moments = some[:to:to]
		switch {
		case to < len(some) || later:
			p.Through = some[to-1].Revision
		default:
			p.Through = max(p.Through, m.tip)
		}
		c.s.mu.Unlock()
		c.at = p.Through
		if p.Missed || len(p.Moments) > 0 {
			return p, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Passage{}, ctx.Err()
		case <-c.s.ctx.Done():
			return Passage{}, c.s.Err()
		}
	}
}
