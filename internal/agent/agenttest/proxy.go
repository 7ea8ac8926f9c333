package agenttest

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/agent/runtime/docker"
)

// Proxy is between an agent and the machine's engine. It can hang like an engine: it
// accepts connections and requests and passes nothing on until Resume. After Resume the
// requests reach the engine, even if their callers no longer wait.
type Proxy struct {
	Host string // for docker.New

	wg     sync.WaitGroup
	mu     sync.Mutex
	gate   chan struct{} // closed while data passes
	open   map[net.Conn]bool
	closed bool
}

// NewProxy starts a proxy. It ends with the test.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	network, address, ok := strings.Cut(docker.Host(), "://")
	if !ok {
		t.Fatalf("an engine at %q", docker.Host())
	}
	path := filepath.Join(t.TempDir(), "e.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Host: "unix://" + path, gate: make(chan struct{}), open: map[net.Conn]bool{}}
	close(p.gate)
	ctx, cancel := context.WithCancel(context.Background())
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serveConn(ctx, conn, network, address) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		p.mu.Lock()
		p.closed = true
		for c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// Hang stops passing data on until Resume.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

// Resume passes on what waits.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.gate)
}

// track registers a connection to be closed at the end. It returns false if the proxy is
// closed.
func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
	return !p.closed
}

// Cut closes all open connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *Proxy) closeConn(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *Proxy) serveConn(ctx context.Context, client net.Conn, network, address string) {
	defer p.closeConn(client)
	if !p.track(client) {
		return
	}
	engine, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return
	}
	defer p.closeConn(engine)
	if !p.track(engine) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copyWhenOpen(ctx, engine, client) })
	both.Go(func() { p.copyWhenOpen(ctx, client, engine) })
	both.Wait()
}

// copyWhenOpen copies from one connection to another until either is closed. Then it
// closes the other.
func (p *Proxy) copyWhenOpen(ctx context.Context, to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		gate := p.gate
		p.mu.Unlock()
		select {
		case <-gate:
		case <-ctx.Done():
			return
		}
		if _, writeErr := to.Write(buffer[:n]); writeErr != nil || err != nil {
			return
		}
	}
}
