package events

import (
	"context"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// Stream yields events in the order in which they happened, from a revision on. Only
// one goroutine may use it, and it needs no closing. A slow reader delays nothing: if
// the store no longer knows what happened, the stream reports a gap.
type Stream struct {
	chronicle *store.Chronicle
	site      fleet.Site
	filter    Filter
}

// Follow returns a stream of what happens after a revision; revisions are those of
// Snapshot.Revision.
func Follow(st *store.Store, after int64, f Filter) *Stream {
	return &Stream{st.Chronicle(after), st.Site(), f}
}

// Batch is a piece of a stream.
type Batch struct {
	// Gap is set if events before those of the batch are lost to the stream.
	Gap       *Gap
	Revisions []Revision // the revisions that have events
	Through   int64      // the stream can be resumed after this revision
}

// Gap is a range of revisions whose events are not known. Only the state after it is
// known.
type Gap struct {
	After   int64 `json:"after"`
	Through int64 `json:"through"`
}

// Revision is the events of one transaction.
type Revision struct {
	Revision int64
	Events   []Event
}

// Position returns the revision after which the stream can be resumed.
func (s *Stream) Position() int64 { return s.chronicle.Position() }

// Next waits for what happens next. A batch may have no events; then only Through has
// advanced.
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
