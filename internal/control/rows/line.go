package rows

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A Line is a line of a stream as a reader decodes it.
type Line struct {
	// Reset says that the stream tells the whole state again. A reader drops what it
	// has when Synced comes, and not before.
	Reset bool `json:"reset,omitempty"`
	// Rows are some rows of the whole state.
	Rows []Row `json:"rows,omitempty"`
	// Synced says that the reader has the state as it was at Revision.
	Synced bool `json:"synced,omitempty"`
	// Changes are rows that have changed. Those of several lines belong together up to
	// the line that has a Revision.
	Changes []Row `json:"changes,omitempty"`
	// Revision is where a reader goes on that loses the stream after this line. It is 0
	// in a line after which it can't.
	Revision int64 `json:"revision,omitempty"`
	// History names what a revision counts, and comes with Synced. A reader that goes
	// on says it again.
	History string `json:"history,omitempty"`
}

// A Row is a row, or says that there is none any more where Value is null.
type Row struct {
	Kind  string          `json:"kind"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// maxLine is the size in bytes above which a line takes no further row. One row that is
// larger has a line of its own.
const maxLine = 128 << 10

// maxIdleBuffer is the size in bytes up to which a reader that waits keeps a buffer.
const maxIdleBuffer = 8 << 10

// lineWriter puts rows into lines.
type lineWriter struct {
	send func([]byte) error
	buf  []byte // the line that is being made; empty: none
	sent bool   // a line has been sent since the last end
}

// add adds a row, under the line's member "rows" or "changes". A nil value is null.
func (l *lineWriter) add(member string, r row, value []byte) error {
	if len(l.buf) > 0 && len(l.buf)+len(value) > maxLine {
		if err := l.flush("]}"); err != nil {
			return err
		}
	}
	if len(l.buf) == 0 {
		l.buf = append(append(append(l.buf, `{"`...), member...), `":[`...)
	} else {
		l.buf = append(l.buf, ',')
	}
	var err error
	l.buf = append(l.buf, `{"kind":`...)
	if l.buf, err = jsontext.AppendQuote(l.buf, r.view.Kind); err != nil {
		return err
	}
	l.buf = append(l.buf, `,"key":`...)
	if l.buf, err = jsontext.AppendQuote(l.buf, r.key); err != nil {
		return err
	}
	l.buf = append(l.buf, `,"value":`...)
	if value == nil {
		value = []byte("null")
	}
	l.buf = append(append(l.buf, value...), '}')
	return nil
}

// finish sends what has been added. A revision other than 0 stands in the last line.
func (l *lineWriter) finish(revision int64) error {
	if len(l.buf) == 0 {
		return nil
	}
	tail := "]}"
	if revision != 0 {
		tail = `],"revision":` + strconv.FormatInt(revision, 10) + "}"
	}
	err := l.flush(tail)
	if cap(l.buf) > maxIdleBuffer {
		l.buf = nil
	}
	return err
}

// discard forgets what has been added and not been sent.
func (l *lineWriter) discard() { l.buf = l.buf[:0] }

func (l *lineWriter) flush(tail string) error {
	err := l.send(append(l.buf, tail...))
	l.buf, l.sent = l.buf[:0], true
	return err
}

// writeLine sends a line without rows.
func (l *lineWriter) writeLine(line Line) error {
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	l.sent = true
	return l.send(b)
}
