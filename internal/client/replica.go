package client

import (
	"bytes"
	"encoding/json"
)

// A RowKey is the name of a row.
type RowKey struct{ Kind, Key string }

// A WatchUpdate leads from one state of the rows to a later one.
type WatchUpdate struct {
	Revision int64
	// Rows are the rows that differ, by key. The value is nil if there is no such row
	// any more.
	Rows map[RowKey]json.RawMessage
}

// watchLine is one line of Watch's answer.
type watchLine struct {
	Reset    bool       `json:"reset"`
	Rows     []watchRow `json:"rows"`
	Synced   bool       `json:"synced"`
	Changes  []watchRow `json:"changes"`
	Revision int64      `json:"revision"`
	History  string     `json:"history"`
}

type watchRow struct {
	Kind  string          `json:"kind"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"` // "null" if there is no such row any more
}

// A replica is a reader's copy of the rows. It changes only in whole steps, from the
// state of one revision to the state of another. A stream that breaks off in the middle
// of a step does not change it.
type replica struct {
	synced   bool // it has had a complete state
	revision int64
	history  string
	rows     map[RowKey]json.RawMessage

	incoming map[RowKey]json.RawMessage // the complete state that is being received, nil if none is
	pending  []watchRow                 // received changes of an unfinished step
}

// startStream prepares for a new stream and returns where it continues. after is nil
// for a stream that starts with the whole state.
func (p *replica) startStream() (after *int64, history string) {
	p.incoming, p.pending = nil, nil
	if !p.synced {
		p.incoming = map[RowKey]json.RawMessage{}
		return nil, ""
	}
	at := p.revision
	return &at, p.history
}

// apply adds a line. ok is false if the caller has nothing new to see.
func (p *replica) apply(l *watchLine) (u WatchUpdate, ok bool) {
	if l.Reset {
		p.incoming, p.pending = map[RowKey]json.RawMessage{}, nil
	}
	if p.incoming != nil {
		for _, r := range l.Rows {
			p.incoming[RowKey{r.Kind, r.Key}] = r.Value
		}
	}
	p.pending = append(p.pending, l.Changes...)
	if l.Revision == 0 {
		return WatchUpdate{}, false
	}
	u = WatchUpdate{Revision: l.Revision, Rows: map[RowKey]json.RawMessage{}}
	if l.Synced && p.incoming != nil {
		for k := range p.rows {
			if _, still := p.incoming[k]; !still {
				u.Rows[k] = nil
			}
		}
		for k, v := range p.incoming {
			if !bytes.Equal(p.rows[k], v) {
				u.Rows[k] = v
			}
		}
		p.rows, p.incoming = p.incoming, nil
	}
	for _, r := range p.pending {
		k := RowKey{r.Kind, r.Key}
		if r.Value == nil || string(r.Value) == "null" {
			if _, had := p.rows[k]; had {
				delete(p.rows, k)
				u.Rows[k] = nil
			}
			continue
		}
		p.rows[k], u.Rows[k] = r.Value, r.Value
	}
	p.pending = nil
	if l.History != "" {
		p.history = l.History
	}
	isFirst := !p.synced
	p.revision, p.synced = l.Revision, true
	return u, isFirst || len(u.Rows) > 0
}
