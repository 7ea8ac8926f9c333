package store

import (
	"context"
	"slices"
	"sort"
)

// maxMoments is how many moments the store keeps at least for those who read
// them; it lets twice as many gather.
const maxMoments = 1 << 13

// moments are what changed lately, one by one.
type moments struct {
	all   []Moment
	after int64 // every moment of a later revision is in all
	tip   int64 // the newest revision
}

// add takes a batch up to a revision.
func (m *moments) add(batch []Moment, tip int64) {
	m.tip = tip
	m.all = append(m.all, batch...)
	if len(m.all) > 2*maxMoments {
		n := len(m.all) - maxMoments
		m.after = m.all[n-1].Revision
		for n < len(m.all) && m.all[n].Revision == m.after { // a revision is kept whole
			n++
		}
		m.all = slices.Clone(m.all[n:]) // passages may still be read from the old ones
	}
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

// passage is about how many moments come at once.
const passage = 256

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
		from := sort.Search(len(m.all), func(i int) bool { return m.all[i].Revision > p.Through })
		to := min(from+passage, len(m.all))
		for to < len(m.all) && m.all[to].Revision == m.all[to-1].Revision {
			to++
		}
		p.Moments = m.all[from:to:to]
		switch {
		case to < len(m.all):
			p.Through = m.all[to-1].Revision
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
