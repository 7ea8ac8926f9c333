package fake

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// output is a line that a program writes, and how long after its start.
type output struct {
	after  time.Duration
	stream runtime.Stream
	text   string
}

// addLineLocked adds a line to a container's output.
func (f *Fake) addLineLocked(c *container, s output) {
	if c.tty {
		s.stream = runtime.Stdout
	}
	c.lines = append(c.lines, runtime.Line{At: time.Now(), Stream: s.stream, Text: []byte(s.text)})
	c.notifyLocked()
}

// notifyLocked wakes those who follow a container's output.
func (c *container) notifyLocked() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// runSaysLocked writes the output of a running container that is due, and sets a timer for
// the next.
func (f *Fake) runSaysLocked(c *container) {
	ran, says := time.Since(c.StartedAt), c.program.Says
	for ; c.said < len(says) && says[c.said].after <= ran; c.said++ {
		f.addLineLocked(c, says[c.said])
	}
	if c.said == len(says) {
		return
	}
	run := c.ended
	c.sayTimer = time.AfterFunc(says[c.said].after-ran, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if c.ended == run && c.Phase == runtime.PhaseRunning && !f.closed {
			f.runSaysLocked(c)
		}
	})
}

// CutOutputs breaks all readings of output, like the end of a connection.
func (f *Fake) CutOutputs() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.cut)
	f.cut = make(chan struct{})
}

// Output follows a container's output.
func (f *Fake) Output(ctx context.Context, id string, from runtime.Position, begun func(), on func(runtime.Line) error) error {
	if !f.waitAnswering(ctx, "output", id) {
		return ctx.Err()
	}
	if err := f.beginCall(ctx, "output", id, 0); err != nil {
		return err
	}
	f.mu.Lock()
	c, err := f.find(id)
	cut := f.cut
	f.mu.Unlock()
	if err == nil && c.unreadable {
		err = &runtime.Error{Kind: runtime.ErrUnsupported, Err: errors.New("Error response from daemon: configured logging driver does not support reading")} //nolint:staticcheck // an engine's words
	}
	if err != nil {
		return err
	}
	begun()
	reading := from.NewReading()
	for next := 0; ; {
		if !f.waitAnswering(ctx, "output", id) {
			return ctx.Err()
		}
		f.mu.Lock()
		lines, running := c.lines[next:], c.Phase == runtime.PhaseRunning
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		news := c.changed
		f.mu.Unlock()
		next += len(lines)
		for _, l := range lines {
			if !reading.Advance(&l) {
				continue
			}
			l.Text = slices.Clone(l.Text)
			if err := on(l); err != nil {
				return err
			}
		}
		if !running {
			return nil
		}
		select {
		case <-news:
		case <-cut:
			return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("fake: the output was cut")}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
