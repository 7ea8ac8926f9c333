package runtime

import "time"

// Stream is one of the two output streams of a container.
type Stream string

// The streams. With a terminal, all output goes to Stdout.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// Line is a line of a container's output, or a part of a long line.
type Line struct {
	At      time.Time // when the engine received it
	Stream  Stream
	Text    []byte   // without the line end; valid only until the callback returns
	Partial bool     // the line continues in the stream's next Line
	Next    Position // the position after this line
}

// Position is a position in a container's output. The zero value is the beginning. A Line
// has the position that follows it. Positions may be stored.
//
// Engines do not number lines, but store the time of each line, in order for each stream.
// A position is a time and the number of lines with exactly that time before it. If the
// host's clock was set back, lines may be missing or come twice.
type Position struct{ Stdout, Stderr Mark }

// Mark is a position in one stream.
type Mark struct {
	At    time.Time // number of lines with that time before the position
	Count int       // of lines of that time
}

// PositionAt returns the position before the first line that has the time at or a later
// one.
func PositionAt(at time.Time) Position { return Position{Mark{At: at}, Mark{At: at}} }

func (p *Position) markOf(s Stream) *Mark {
	if s == Stderr {
		return &p.Stderr
	}
	return &p.Stdout
}

// maxStreamLag is how much later than its time the engine may store a line, compared with
// the lines of the other stream.
const maxStreamLag = time.Minute

// Since returns a time that is not after the time of any line that follows the position.
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

// Reading is one reading of an output from a position on, in the engine's order.
type Reading struct {
	at     Position // the position so far
	passed map[Stream]bool
	seen   map[Stream]int // lines with exactly the position's time
}

// NewReading begins a reading at the position.
func (p Position) NewReading() *Reading {
	return &Reading{at: p, passed: map[Stream]bool{}, seen: map[Stream]int{}}
}

// Position returns the position after the last line.
func (r *Reading) Position() Position { return r.at }

// Restart begins the reading again at its current position.
func (r *Reading) Restart() { *r = *r.at.NewReading() }

// Advance processes the engine's next line. It reports whether the line follows the
// position, and then sets the line's Next.
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
