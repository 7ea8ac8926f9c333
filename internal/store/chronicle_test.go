package store

import (
	"context"
	"errors"
	"testing"
)

func TestChronicleForgets(t *testing.T) {
	m := moments{after: 10, tip: 10}
	s := &Store{moments: m, history: history{more: make(chan struct{})}}
	s.ctx, s.cancel = context.WithCancelCause(t.Context())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	early, late := s.Chronicle(10), s.Chronicle(10)
	// Two moments a revision, more than the store keeps.
	last := int64(10)
	for range 2*maxMoments + 1 {
		last++
		s.moments.add([]Moment{{Revision: last}, {Revision: last}}, last)
		if last == 1000 {
			read(t, early, 10, last)
		}
	}
	if n := s.moments.size; n > 2*maxMoments || n < maxMoments {
		t.Errorf("%d are kept", n)
	}
	p, err := late.Next(t.Context())
	if err != nil || !p.Missed || p.MissedAfter != 10 || p.MissedThrough != s.moments.after || len(p.Moments) == 0 || p.Moments[0].Revision != p.MissedThrough+1 {
		t.Errorf("after a gap: %+v, %v", p, err)
	}
	read(t, late, p.Through, last)
	if _, err := late.Next(ended); !errors.Is(err, context.Canceled) || late.Position() != last {
		t.Errorf("at the end: %v at %d of %d", err, late.Position(), last)
	}
	// The state was read again: the store does not know how it came about.
	s.moments.forget(last + 5)
	if p, err := late.Next(t.Context()); err != nil || !p.Missed || p.MissedThrough != last+5 || len(p.Moments) > 0 {
		t.Errorf("after a new start: %+v, %v", p, err)
	}
}

// read reads all moments from one revision to another, without a gap.
func read(t *testing.T, c *Chronicle, from, to int64) {
	t.Helper()
	at, n := from, 0
	for at < to {
		p, err := c.Next(t.Context())
		if err != nil || p.Missed {
			t.Fatalf("%+v, %v", p, err)
		}
		for _, m := range p.Moments {
			if n++; m.Revision != from+int64(n+1)/2 {
				t.Fatalf("revision %d as moment %d after %d", m.Revision, n, from)
			}
		}
		at = p.Through
	}
}
