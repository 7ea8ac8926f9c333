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
		return convertError(err)
	}
	tty := res.Container.Config != nil && res.Container.Config.Tty
	r := from.NewReading()
	if err := d.readLog(ctx, id, tty, true, r, begun, on); err != nil {
		return err
	}
	c, err := d.Inspect(ctx, id)
	if err != nil {
		return err
	}
	if c.Phase == runtime.PhaseRunning {
		return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("docker: the output's stream ended")}
	}
	// An engine that shuts down ends the stream without an error, and the container may
	// have written more before its own end. So the log is read again.
	r.Restart()
	return d.readLog(ctx, id, tty, false, r, func() {}, on)
}

// readLog reads the log once, until it ends.
func (d *Docker) readLog(ctx context.Context, id string, tty, follow bool, r *runtime.Reading, begun func(), on func(runtime.Line) error) error {
	opts := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow}
	if since := r.Position().Since(); !since.IsZero() {
		opts.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	in, err := d.api.ContainerLogs(ctx, id, opts)
	if errdefs.IsNotImplemented(err) {
		return &runtime.Error{Kind: runtime.ErrUnsupported, Err: err}
	}
	if err != nil {
		return convertError(err)
	}
	defer in.Close()
	begun()
	t := &lineReader{r: r, on: on}
	if tty {
		err = t.readTerminal(in)
	} else {
		_, err = stdcopy.StdCopy(t.newStreamWriter(runtime.Stdout), t.newStreamWriter(runtime.Stderr), in)
	}
	switch {
	case t.err != nil:
		return t.err
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return convertError(err)
	}
}

// lineReader builds lines from the engine's data and passes on those that follow the
// position.
type lineReader struct {
	r   *runtime.Reading
	on  func(runtime.Line) error
	err error // of on
}

func (t *lineReader) emit(l runtime.Line) error {
	if t.r.Advance(&l) {
		t.err = t.on(l)
	}
	return t.err
}

// Before each message an engine writes its time, which has this length, and a space.
const (
	stamp       = len("2006-01-02T15:04:05.000000000Z")
	messageSize = 16 << 10 // of the parts of a longer line
)

// cutTime cuts the time off a message.
func cutTime(p []byte) (at time.Time, text []byte, ok bool) {
	if len(p) <= stamp || p[stamp] != ' ' {
		return at, p, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(p[:stamp]))
	return at, p[stamp+1:], err == nil
}

// newStreamWriter returns a writer for one of the two streams that stdcopy separates. It
// gets one message in each Write.
func (t *lineReader) newStreamWriter(s runtime.Stream) io.Writer {
	return &streamWriter{t: t, line: runtime.Line{Stream: s}}
}

type streamWriter struct {
	t    *lineReader
	line runtime.Line
}

func (s *streamWriter) Write(p []byte) (int, error) {
	at, text, ok := cutTime(p)
	if ok {
		s.line.At = at
	}
	text, complete := bytes.CutSuffix(text, []byte("\n"))
	s.line.Text, s.line.Partial = text, !complete
	return len(p), s.t.emit(s.line)
}

// readTerminal reads output without frames: one message follows the other. The parts of a
// long line follow each other with the same time.
func (t *lineReader) readTerminal(in io.Reader) error {
	b := bufio.NewReaderSize(in, 2*messageSize)
	l := runtime.Line{Stream: runtime.Stdout}
	for {
		head, err := b.Peek(stamp + 1)
		if at, _, ok := cutTime(head); ok && (!l.Partial || at.Equal(l.At)) {
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
		if err := t.readMessage(b, &l); err != nil {
			return err
		}
	}
}

// readMessage reads a message's text, which ends with its line or at the maximum size, and
// passes it on.
func (t *lineReader) readMessage(b *bufio.Reader, l *runtime.Line) error {
	for want := 1; ; {
		_, err := b.Peek(want)
		if err != nil && err != io.EOF {
			return err
		}
		text, _ := b.Peek(min(b.Buffered(), messageSize)) // all that is buffered
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
		if err := t.emit(*l); err != nil {
			return err
		}
		_, err = b.Discard(used)
		return err
	}
}
