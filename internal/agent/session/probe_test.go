package session

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/wire/line"
)

// pipes is a network without sockets: one side accepts what the other dials.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// connect opens a websocket to a server for as long as the test runs.
func connect(t *testing.T, serve func(*websocket.Conn)) *line.Conn {
	t.Helper()
	net := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		serve(conn)
	})}
	go server.Serve(net)
	t.Cleanup(func() { server.Close() })
	req, err := http.NewRequest(http.MethodGet, "http://a", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := line.Dial(&http.Client{Transport: &http.Transport{DialContext: net.dial}}, req, maxFrame)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.CloseNow)
	return conn
}

// The agent leaves a server that hangs within about 20 s. It never leaves one that
// answers, nor the only one.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		servers []string
		answers bool
		leaves  bool
	}{
		"silent":           {[]string{"http://a", "http://b"}, false, true},
		"answers":          {[]string{"http://a", "http://b"}, true, false},
		"silent and alone": {[]string{"http://a"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				conn := connect(t, func(conn *websocket.Conn) {
					if c.answers {
						_, _, _ = conn.Read(ctx) // answers pings until the end
					}
					<-ctx.Done()
				})
				s := &Session{log: slog.New(slog.DiscardHandler), api: newClient(c.servers, "", "", nil, nil)}
				began := time.Now()
				p := s.startProbe(conn, 0)
				patience := time.AfterFunc(time.Hour, conn.CloseNow)
				err := conn.Each(func([]byte) {})
				left, took := patience.Stop(), time.Since(began)
				p.stop()
				if left != c.leaves || left != (s.api.turn.Load() == 1) {
					t.Errorf("after %s: %v, turn %d", took, err, s.api.turn.Load())
				}
				if left && (took < probeTimeout || took > probeInterval*12/10+probeTimeout) {
					t.Errorf("left after %s", took)
				}
			})
		})
	}
}
