package events

import (
	"context"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// Stream tells events in the order in which they happened, from a revision on.
// It belongs to one goroutine and needs no closing. One that is read slowly
// holds nobody up: where the store no longer knows what happened, it says so.
type Stream struct {
	chronicle *store.Chronicle
	site      fleet.Site
	filter    Filter
}

// Follow tells what happens after a revision, as Snapshot.Revision counts.
func Follow(st *store.Store, after int64, f Filter) *Stream {
	return &Stream{st.Chronicle(after), st.Site(), f}
}

// A Batch is a piece of a stream.
type Batch struct {
	// Gap is set where events before those of the batch are lost to the stream.
	Gap       *Gap
	Revisions []Revision // those with events
	Through   int64      // the stream can be taken up after this revision
}

// A Gap is a range of revisions that nothing is known of, but what the state is
// after it.
type Gap struct {
	After   int64 `json:"after"`
	Through int64 `json:"through"`
}

// A Revision is what one transaction has brought about.
type Revision struct {
	Revision int64
	Events   []Event
}

// Position is the revision after which the stream can be taken up.
func (s *Stream) Position() int64 { return s.chronicle.Position() }

// Next waits for what happens next. A batch may be empty: Through has moved on.
func (s *Stream) Next(ctx context.Context) (Batch, error) {
	p, err := s.chronicle.Next(ctx)
	if err != nil {
		return Batch{}, err
	}
	b := Batch{Through: p.Through}
	if p.Missed {
		b.Gap = &Gap{p.MissedAfter, p.MissedThrough}
	}
	for i := range p.Moments {
		m := &p.Moments[i]
		events := Of(s.site, m, &s.filter)
		if len(events) == 0 {
			continue
		}
		if n := len(b.Revisions); n == 0 || b.Revisions[n-1].Revision != m.Revision {
			b.Revisions = append(b.Revisions, Revision{Revision: m.Revision})
		}
		r := &b.Revisions[len(b.Revisions)-1]
		r.Events = append(r.Events, events...)
	}
	return b, nil
}
