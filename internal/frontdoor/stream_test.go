package frontdoor

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/sigv4"
)

// lines is a service whose one operation is a stream.
type lines struct {
	stream func(ctx context.Context, send func([]byte) error) error
}

type linesInput struct{}

type linesOutput struct{ *lines }

func (l *lines) Watch(context.Context, *linesInput) (*linesOutput, error) {
	return &linesOutput{l}, nil
}

func (o *linesOutput) Stream(ctx context.Context, send func([]byte) error) error {
	return o.stream(ctx, send)
}

func (l *lines) service() Service {
	return Service{
		Model: &model.Service{Name: "lines", SigningName: "lines", Shape: "Lines_1", Operations: []model.Operation{{Name: "Watch"}}},
		Impl:  l, Operations: map[string]Operation{"Watch": Op[linesInput]("lines:Watch", nil)},
	}
}

// watch calls the operation over a connection.
func watch(t *testing.T, c net.Conn) {
	t.Helper()
	r, err := http.NewRequest("POST", "http://x/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Lines_1.Watch")
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "lines"}.Sign(r, []byte("{}"))
	if err := r.Write(c); err != nil {
		t.Fatal(err)
	}
}

// first reads a stream's first line.
func first(t *testing.T, c net.Conn) string {
	t.Helper()
	b := bufio.NewReader(c)
	res, err := http.ReadResponse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// inStreams is inBubble with the service lines.
func inStreams(t *testing.T, l *lines, f func(t *testing.T, p *pipes)) *door {
	d := &door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()}
	inBubbleOf(t, d, []Service{d.ecs.service(), l.service()}, func(t *testing.T, p *pipes, stop func() error) {
		f(t, p)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// A line that is not taken within ten seconds ends the stream, which is no failure of
// the server's.
func TestSlowReaderOfAStream(t *testing.T) {
	var ended error
	var took time.Duration
	var done chan struct{} // of the bubble
	l := &lines{func(ctx context.Context, send func([]byte) error) error {
		defer close(done)
		began := time.Now()
		for ended == nil {
			began = time.Now()
			ended = send([]byte(strings.Repeat("x", 64<<10)))
		}
		took = time.Since(began)
		return ended
	}}
	d := inStreams(t, l, func(t *testing.T, p *pipes) {
		done = make(chan struct{})
		c := p.dial()
		watch(t, c)
		first(t, c)
		<-done
		c.Close()
	})
	if took != sendTimeout || ended == nil {
		t.Errorf("it ended after %v by %v", took, ended)
	}
	if log := d.log.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "error=RequestTimeoutException") {
		t.Errorf("the log:\n%s", log)
	}
}

// Streams hold nothing of the memory that calls have: one caller may have more of them
// than calls.
func TestStreamsHoldNoMemory(t *testing.T) {
	const n = 1000
	if n*callMemory <= runningAdmin {
		t.Fatal("that shows nothing")
	}
	l := &lines{func(ctx context.Context, send func([]byte) error) error {
		if err := send([]byte("1")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	inStreams(t, l, func(t *testing.T, p *pipes) {
		var all []net.Conn
		for i := range n {
			c := p.dial()
			all = append(all, c)
			watch(t, c)
			if got := first(t, c); got != "1" {
				t.Fatalf("stream %d: %s", i, got)
			}
		}
		for _, c := range all {
			c.Close()
		}
	})
}

// What goes wrong before the first line is answered as of any call.
func TestStreamRefused(t *testing.T) {
	l := &lines{func(context.Context, func([]byte) error) error {
		return clientError("LimitExceededException", "There are too many.")
	}}
	inStreams(t, l, func(t *testing.T, p *pipes) {
		c := p.dial()
		watch(t, c)
		if res, body := answer(t, c); res.StatusCode != 400 || !strings.Contains(body, "LimitExceededException") || res.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
		}
		c.Close()
	})
}
