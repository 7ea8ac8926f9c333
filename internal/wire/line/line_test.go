package line

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 1 << 20

// dial opens a connection to a server of another implementation. The request's context has
// ended when it returns.
func dial(t *testing.T, serve func(*websocket.Conn)) *Conn {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(2 * limit)
		serve(c)
	}))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := Dial(srv.Client(), req, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseNow)
	return c
}

// Messages of every length arrive complete and in order, also in fragments with pings
// between them, and from many goroutines at the same time.
func TestEcho(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	ctx := t.Context()
	c := dial(t, func(c *websocket.Conn) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for {
			_, data, err := c.Read(ctx)
			if err != nil {
				return
			}
			w, err := c.Writer(ctx, websocket.MessageText)
			for len(data) > 0 && err == nil { // one frame each
				n := min(len(data), 1+rng.IntN(70_000))
				_, err = w.Write(data[:n])
				data = data[n:]
			}
			if err = errors.Join(err, w.Close()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const writers = 4
	lengths := []int{1, 2, 15, 16, 125, 126, 127, 1000, 1023, 1024, 1025, 65_535, 65_536, 70_000, 500_000}
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for n, length := range lengths {
				text := fmt.Sprintf("%d %d ", i, n)
				text += strings.Repeat("x", max(0, length-len(text)))
				if err := c.Write([]byte(text)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := make([]int, writers)
	left := writers * len(lengths)
	err := c.Each(func(data []byte) {
		var i, n int
		if _, err := fmt.Sscanf(string(data[:min(8, len(data))]), "%d %d ", &i, &n); err != nil {
			t.Errorf("%.20q: %v", data, err)
			c.CloseNow()
			return
		}
		if n != next[i] || len(data) != max(lengths[n], len(fmt.Sprintf("%d %d ", i, n))) {
			t.Errorf("writer %d: message %d of %d bytes, not message %d", i, n, len(data), next[i])
		}
		next[i]++
		if left--; left == 0 {
			c.CloseNow()
		}
	})
	wg.Wait()
	if left != 0 {
		t.Errorf("%d messages missing: %v", left, err)
	}
}

func TestPing(t *testing.T) {
	ponged := make(chan error, 1)
	c := dial(t, func(c *websocket.Conn) {
		ctx := c.CloseRead(t.Context())
		ponged <- c.Ping(ctx)
		c.Close(websocket.StatusGoingAway, "enough")
	})
	err := c.Each(func(data []byte) { t.Errorf("message %q", data) })
	if err := <-ponged; err != nil {
		t.Errorf("ping: %v", err)
	}
	var closed *ClosedError
	if !errors.As(err, &closed) || closed.Code != ws.StatusGoingAway || closed.Reason != "enough" {
		t.Errorf("ended with %v", err)
	}
	if err := c.Write([]byte("x")); err == nil {
		t.Error("a closed connection takes messages")
	}
}

// If one end closes, the other end gets the reason, and both see the end.
func TestClose(t *testing.T) {
	seen := make(chan error, 1)
	c := dial(t, func(c *websocket.Conn) {
		_, _, err := c.Read(t.Context())
		seen <- err
	})
	c.Close(ws.StatusNormalClosure, "expired")
	err := c.Each(func([]byte) {})
	var closed *ClosedError
	if !errors.As(err, &closed) || closed.Code != ws.StatusNormalClosure {
		t.Errorf("our end: %v", err)
	}
	var theirs websocket.CloseError
	if err := <-seen; !errors.As(err, &theirs) || theirs.Code != websocket.StatusNormalClosure || theirs.Reason != "expired" {
		t.Errorf("their end: %v", err)
	}
}

func TestTooLong(t *testing.T) {
	seen := make(chan error, 1)
	c := dial(t, func(c *websocket.Conn) {
		err := c.Write(t.Context(), websocket.MessageText, make([]byte, limit+1))
		if err == nil {
			_, _, err = c.Read(t.Context())
		}
		seen <- err
	})
	if err := c.Each(func(data []byte) { t.Errorf("a message of %d bytes", len(data)) }); err == nil {
		t.Error("no error")
	}
	c.CloseNow()
	if err := <-seen; err == nil {
		t.Error("the other end learned nothing")
	}
}

func TestRefused(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "other")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		http.Error(w, "not you", http.StatusForbidden)
	}))
	defer srv.Close()
	for path, body := range map[string]string{"/": "not you\n", "/other": ""} {
		req, err := http.NewRequest(http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, res, err := Dial(srv.Client(), req, limit)
		if err == nil || res == nil {
			t.Fatalf("%s: %v, %v", path, res, err)
		}
		if got, err := io.ReadAll(res.Body); err != nil || string(got) != body {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

// recorder is a connection that accepts everything, and records each write separately.
type recorder struct {
	mu     sync.Mutex
	writes [][]byte
	closed chan struct{}
	once   sync.Once
	stuck  bool
	pause  chan struct{} // if not nil, writes wait until it is closed
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.stuck {
		<-r.closed
		return 0, io.ErrClosedPipe
	}
	if r.pause != nil {
		<-r.pause
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, bytes.Clone(p))
	return len(p), nil
}

func (r *recorder) Read([]byte) (int, error) { <-r.closed; return 0, io.EOF }
func (r *recorder) Close() error             { r.once.Do(func() { close(r.closed) }); return nil }

func (r *recorder) frames(t *testing.T, n int) (out []string) {
	t.Helper()
	if len(r.writes) <= n {
		t.Fatalf("%d writes", len(r.writes))
	}
	for b := bytes.NewReader(r.writes[n]); b.Len() > 0; {
		f, err := ws.ReadFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(ws.UnmaskFrame(f).Payload))
	}
	return out
}

// Messages that are sent during a write go into the next write.
func TestCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{closed: make(chan struct{}), pause: make(chan struct{})}
		c := newConn(r, limit)
		defer c.CloseNow()
		var first sync.WaitGroup
		first.Go(func() {
			if err := c.Write([]byte("a")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // it is writing
		for _, text := range []string{"b", "c"} {
			if err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		close(r.pause)
		first.Wait()
		if len(r.writes) != 2 {
			t.Fatalf("%d writes", len(r.writes))
		}
		if got := append(r.frames(t, 0), r.frames(t, 1)...); fmt.Sprint(got) != "[a b c]" {
			t.Errorf("%q", got)
		}
	})
}

// A connection whose other end accepts nothing is closed.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{closed: make(chan struct{}), stuck: true}
		c := newConn(r, limit)
		began := time.Now()
		if err := c.Write([]byte("a")); err == nil || time.Since(began) != writeTimeout {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if err := c.Each(func([]byte) {}); err == nil {
			t.Error("the reader goes on")
		}
	})
}
