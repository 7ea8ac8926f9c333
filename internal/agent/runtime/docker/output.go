package docker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Output follows the engine's log of a container.
func (d *Docker) Output(ctx context.Context, id string, from runtime.Position, begun func(), on func(runtime.Line) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := d.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return convert(err)
	}
	tty := res.Container.Config != nil && res.Container.Config.Tty
	r := from.Read()
	if err := d.log(ctx, id, tty, true, r, begun, on); err != nil {
		return err
	}
	c, err := d.Inspect(ctx, id)
	if err != nil {
		return err
	}
	if c.Phase == runtime.PhaseRunning {
		return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("docker: the output's stream ended")}
	}
	// An engine that is shut down ends the stream in good order, and the container
	// may have said more before its own end.
	r.Again()
	return d.log(ctx, id, tty, false, r, func() {}, on)
}

// log reads it once, to its end.
func (d *Docker) log(ctx context.Context, id string, tty, follow bool, r *runtime.Reading, begun func(), on func(runtime.Line) error) error {
	opts := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow}
	if since := r.At().Since(); !since.IsZero() {
		opts.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	in, err := d.api.ContainerLogs(ctx, id, opts)
	if errdefs.IsNotImplemented(err) {
		return &runtime.Error{Kind: runtime.ErrUnsupported, Err: err}
	}
	if err != nil {
		return convert(err)
	}
	defer in.Close()
	begun()
	t := &teller{r: r, on: on}
	if tty {
		err = t.terminal(in)
	} else {
		_, err = stdcopy.StdCopy(t.stream(runtime.Stdout), t.stream(runtime.Stderr), in)
	}
	switch {
	case t.refused != nil:
		return t.refused
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return convert(err)
	}
}

// teller makes lines of what the engine sends, and tells those that are new.
type teller struct {
	r       *runtime.Reading
	on      func(runtime.Line) error
	refused error // by on
}

func (t *teller) tell(l runtime.Line) error {
	if t.r.New(&l) {
		t.refused = t.on(l)
	}
	return t.refused
}

// An engine writes before each message its time, of this length, and a blank.
const (
	stamp       = len("2006-01-02T15:04:05.000000000Z")
	messageSize = 16 << 10 // of a longer line's parts
)

// stamped cuts the time off.
func stamped(p []byte) (at time.Time, text []byte, ok bool) {
	if len(p) <= stamp || p[stamp] != ' ' {
		return at, p, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(p[:stamp]))
	return at, p[stamp+1:], err == nil
}

// stream is the end of one stream of the two that the engine sends as one. It gets
// each message by itself.
func (t *teller) stream(s runtime.Stream) io.Writer {
	return &stream{t: t, line: runtime.Line{Stream: s}}
}

type stream struct {
	t    *teller
	line runtime.Line
}

func (s *stream) Write(p []byte) (int, error) {
	at, text, ok := stamped(p)
	if ok {
		s.line.At = at
	}
	text, whole := bytes.CutSuffix(text, []byte("\n"))
	s.line.Text, s.line.Partial = text, !whole
	return len(p), s.t.tell(s.line)
}

// terminal reads what has no frames: one message after the other, where a long
// line's parts follow each other with the same time and nothing between them.
func (t *teller) terminal(in io.Reader) error {
	b := bufio.NewReaderSize(in, 2*messageSize)
	l := runtime.Line{Stream: runtime.Stdout}
	for {
		head, err := b.Peek(stamp + 1)
		if at, _, ok := stamped(head); ok && (!l.Partial || at.Equal(l.At)) {
			l.At = at
			if _, err := b.Discard(stamp + 1); err != nil {
				return err
			}
		} else if len(head) == 0 {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if err := t.message(b, &l); err != nil {
			return err
		}
	}
}

// message reads a message's text, which its line's end or its size ends, and tells it.
func (t *teller) message(b *bufio.Reader, l *runtime.Line) error {
	for want := 1; ; {
		_, err := b.Peek(want)
		if err != nil && err != io.EOF {
			return err
		}
		text, _ := b.Peek(min(b.Buffered(), messageSize)) // all that is here
		length := bytes.IndexByte(text, '\n')
		l.Partial = length < 0
		if l.Partial && len(text) < messageSize && err == nil {
			want = len(text) + 1
			continue
		}
		used := length + 1
		if l.Partial {
			length, used = len(text), len(text)
		}
		if l.Text = text[:length]; !l.Partial {
			l.Text = bytes.TrimSuffix(l.Text, []byte("\r"))
		}
		if err := t.tell(*l); err != nil {
			return err
		}
		_, err = b.Discard(used)
		return err
	}
}
