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

// A picture is the rows as a reader has them. Each update of it is whole: it shows the
// state at one revision, and nothing of a stream that broke off in the middle.
type picture struct {
	synced   bool // it has shown a state
	revision int64
	history  string
	rows     map[RowKey]json.RawMessage

	whole   map[RowKey]json.RawMessage // the state that is being told anew, nil where none is
	changes []watchRow                 // told, but not yet all that belong together
}

// begin begins to read a stream, and returns where it is to go on: nil for nowhere.
func (p *picture) begin() (after *int64, history string) {
	p.whole, p.changes = nil, nil
	if !p.synced {
		p.whole = map[RowKey]json.RawMessage{}
		return nil, ""
	}
	at := p.revision
	return &at, p.history
}

// apply takes a line in. ok is false where nothing has changed that can be shown.
func (p *picture) apply(l *watchLine) (u WatchUpdate, ok bool) {
	if l.Reset {
		p.whole, p.changes = map[RowKey]json.RawMessage{}, nil
	}
	if p.whole != nil {
		for _, r := range l.Rows {
			p.whole[RowKey{r.Kind, r.Key}] = r.Value
		}
	}
	p.changes = append(p.changes, l.Changes...)
	if l.Revision == 0 {
		return WatchUpdate{}, false
	}
	u = WatchUpdate{Revision: l.Revision, Rows: map[RowKey]json.RawMessage{}}
	if l.Synced && p.whole != nil {
		for k := range p.rows {
			if _, still := p.whole[k]; !still {
				u.Rows[k] = nil
			}
		}
		for k, v := range p.whole {
			if !bytes.Equal(p.rows[k], v) {
				u.Rows[k] = v
			}
		}
		p.rows, p.whole = p.whole, nil
	}
	for _, r := range p.changes {
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
	p.changes = nil
	if l.History != "" {
		p.history = l.History
	}
	first := !p.synced
	p.revision, p.synced = l.Revision, true
	return u, first || len(u.Rows) > 0
}
