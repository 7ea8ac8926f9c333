package rows

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A Line is one line of a stream, as a reader decodes it.
type Line struct {
	// Reset announces that the stream sends the whole state again. A reader discards
	// its rows when Synced comes, and not before.
	Reset bool `json:"reset,omitempty"`
	// Rows are some of the rows of the whole state.
	Rows []Row `json:"rows,omitempty"`
	// Synced means that the reader now has the state at Revision.
	Synced bool `json:"synced,omitempty"`
	// Changes are rows that have changed. One step may fill several lines. It ends with
	// the line that has a Revision.
	Changes []Row `json:"changes,omitempty"`
	// Revision is where a reader continues if the stream breaks after this line. It is
	// 0 if the reader can't continue after this line.
	Revision int64 `json:"revision,omitempty"`
	// History names what a revision counts. It comes with Synced. A reader that
	// continues sends it back.
	History string `json:"history,omitempty"`
}

// A Row is a row of the state. If Value is null, there is no such row any more.
type Row struct {
	Kind  string          `json:"kind"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// maxLine is the size in bytes above which a line gets no further row. A larger row has
// a line of its own.
const maxLine = 128 << 10

// maxIdleBuffer is the size in bytes of the largest buffer that a waiting reader
// retains.
const maxIdleBuffer = 8 << 10

// A lineWriter writes rows into lines.
type lineWriter struct {
	send func([]byte) error
	buf  []byte // the unfinished line, empty if there is none
	sent bool   // a line was sent since the caller last reset it
}

// add adds a row to the list of the line's member "rows" or "changes". A nil value
// becomes null.
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

// finish sends the unfinished line, if any. The line contains the revision unless that
// is 0.
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

// discard removes the unfinished line.
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
