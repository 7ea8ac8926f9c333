package store

import (
	"context"
	"sort"
)

// maxMoments is how many moments the store keeps at least for those who read
// them; it lets about twice as many gather.
const maxMoments = 1 << 13

// moments are what changed lately, one by one.
type moments struct {
	batches [][]Moment // as they came, each of whole revisions; none is empty
	size    int        // moments in batches
	after   int64      // every moment of a later revision is in batches
	tip     int64      // the newest revision
}

// add takes a batch up to a revision over.
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

// since returns the moments after a revision that came in one batch, and whether
// there are later ones.
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

// forget begins anew at a revision, where what led to it is not known.
func (m *moments) forget(rev int64) { *m = moments{after: rev, tip: rev} }

// Chronicle tells what changed, change by change, in the order of revisions. It
// belongs to one goroutine. It needs no closing, and however long it is left
// alone, it holds up nothing and keeps nothing.
type Chronicle struct {
	s  *Store
	at int64
}

// Chronicle begins after a revision, as Snapshot.Revision counts: that of a
// snapshot, or one where an earlier chronicle has ended, also of another server.
func (s *Store) Chronicle(after int64) *Chronicle { return &Chronicle{s, after} }

// OldestMoment is the revision after which every change is still known.
func (s *Store) OldestMoment() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moments.after
}

// A Passage is a piece of a chronicle.
type Passage struct {
	// Missed says that changes before those of the passage are not known any
	// more, or never were: those after revision MissedAfter up to MissedThrough.
	Missed                     bool
	MissedAfter, MissedThrough int64
	Moments                    []Moment // of whole revisions
	Through                    int64    // everything up to this revision is told
}

// passageSize is about how many moments come at once at most.
const passageSize = 256

// Position is the revision up to which all has been told.
func (c *Chronicle) Position() int64 { return c.at }

// Next waits for what comes after the last passage. Its moments must not be
// changed. Where ctx ends while nothing comes, Position may have moved all the
// same: most changes are not of anything that moments are told of.
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
