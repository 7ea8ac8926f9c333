package client

import (
	"bytes"
	"encoding/json"
)

// A RowKey names a row of the state.
type RowKey struct{ Kind, Key string }

// A WatchUpdate brings its consumer from one state of the rows to a later one.
type WatchUpdate struct {
	Revision int64
	// Rows are those that differ, by their key. The value is nil where there is no such
	// row any more.
	Rows map[RowKey]json.RawMessage
}

// watchLine is a line of the answer of Watch.
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
	Value json.RawMessage `json:"value"` // "null" where there is no such row any more
}

// A replica is the rows as a reader has them. Each update of it is whole: it shows the
// state at one revision, and nothing of a stream that broke off in the middle.
type replica struct {
	synced   bool // it has shown a state
	revision int64
	history  string
	rows     map[RowKey]json.RawMessage

	incoming map[RowKey]json.RawMessage // the state that is being told anew, nil where none is
	pending  []watchRow                 // told, but not yet all that belong together
}

// startStream begins to read a stream, and returns where it is to go on: nil for nowhere.
func (p *replica) startStream() (after *int64, history string) {
	p.incoming, p.pending = nil, nil
	if !p.synced {
		p.incoming = map[RowKey]json.RawMessage{}
		return nil, ""
	}
	at := p.revision
	return &at, p.history
}

// apply takes a line in. ok is false where nothing has changed that can be shown.
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
