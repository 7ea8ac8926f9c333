package runtime

import "time"

// Stream is one of the two that a container writes to.
type Stream string

// The streams. With a terminal everything goes to Stdout.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// Line is a line that a container has written, or a part of a long one.
type Line struct {
	At      time.Time // when the engine got it
	Stream  Stream
	Text    []byte   // without the line's end; the receiver's only until it returns
	Partial bool     // the line goes on in the stream's next Line
	Next    Position // where to go on after this line
}

// Position is a place in a container's output. Zero is its beginning. A Line says
// where to go on after it; that may be stored.
//
// Engines number no lines, but have the time of each, by stream in order. A place
// is a time, and how many lines of that very time lie before it. Where the host's
// clock was set back, lines may be left out or told twice.
type Position struct{ Stdout, Stderr Mark }

// Mark is a place in one stream.
type Mark struct {
	At    time.Time
	Count int // of lines of that time
}

// PositionAt is the place before the first line of a time or later.
func PositionAt(at time.Time) Position { return Position{Mark{At: at}, Mark{At: at}} }

func (p *Position) markOf(s Stream) *Mark {
	if s == Stderr {
		return &p.Stderr
	}
	return &p.Stdout
}

// maxStreamLag is how much later than its time an engine may have put down a line, beside
// the lines of the other stream.
const maxStreamLag = time.Minute

// Since is a time such that all lines after the place have it or a later one.
func (p Position) Since() time.Time {
	older, newer := p.Stdout.At, p.Stderr.At
	if newer.Before(older) {
		older, newer = newer, older
	}
	if earliest := newer.Add(-maxStreamLag); older.Before(earliest) {
		return earliest
	}
	return older
}

// Reading is one reading of an output from a place on, in the engine's order.
type Reading struct {
	at     Position // so far
	passed map[Stream]bool
	seen   map[Stream]int // lines of the very time of the place
}

// NewReading begins one.
func (p Position) NewReading() *Reading {
	return &Reading{at: p, passed: map[Stream]bool{}, seen: map[Stream]int{}}
}

// Position is the place after the last line.
func (r *Reading) Position() Position { return r.at }

// Restart begins the reading anew at the place where it is.
func (r *Reading) Restart() { *r = *r.at.NewReading() }

// Advance takes the next line that the engine has, tells whether it lies after the
// place, and gives it its Next.
func (r *Reading) Advance(l *Line) bool {
	m := r.at.markOf(l.Stream)
	if !r.passed[l.Stream] {
		switch l.At.Compare(m.At) {
		case -1:
			return false
		case 0:
			if r.seen[l.Stream]++; r.seen[l.Stream] <= m.Count {
				return false
			}
		}
		r.passed[l.Stream] = true
	}
	if l.At.Equal(m.At) {
		m.Count++
	} else {
		*m = Mark{l.At, 1}
	}
	l.Next = r.at
	return true
}
