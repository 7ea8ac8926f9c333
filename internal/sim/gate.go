package sim

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// errCut is the error of calls while the network is cut.
var errCut = errors.New("simulated: the network is unreachable")

// Gate is the network of one host. It passes calls and upgrades on to a transport that all
// hosts share, and can be shut.
type Gate struct {
	base http.RoundTripper

	mu    sync.Mutex
	shut  bool
	conns map[*gatedConn]struct{} // upgraded connections
}

// NewGate returns an open gate.
func NewGate(base http.RoundTripper) *Gate {
	return &Gate{base: base, conns: map[*gatedConn]struct{}{}}
}

// RoundTrip makes a call, or fails if the gate is shut.
func (g *Gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.isShut() {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, errCut
	}
	res, err := g.base.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return res, err
	}
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return res, nil
	}
	c := &gatedConn{ReadWriteCloser: conn, g: g, unblocked: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return nil, errors.Join(errCut, conn.Close())
	}
	g.conns[c] = struct{}{}
	res.Body = c
	return res, nil
}

// Shut cuts the host off. Its connections break at once. With silently, they stay open but
// carry nothing, and writes succeed; then both sides only notice by waiting.
func (g *Gate) Shut(silently bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	for c := range g.conns {
		if silently {
			c.silence()
		} else {
			_ = c.ReadWriteCloser.Close() // a call in progress fails
		}
	}
}

// Open lets the host through again. Silent connections break.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
	for c := range g.conns {
		if c.isSilent() {
			_ = c.ReadWriteCloser.Close()
			c.unblock()
		}
	}
}

func (g *Gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}

// gatedConn is an upgraded connection.
type gatedConn struct {
	io.ReadWriteCloser
	g         *Gate
	mu        sync.Mutex
	silent    bool
	once      sync.Once
	unblocked chan struct{} // closed when a silent connection ends
}

func (c *gatedConn) silence() {
	c.mu.Lock()
	c.silent = true
	c.mu.Unlock()
}

func (c *gatedConn) isSilent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silent
}

func (c *gatedConn) unblock() { c.once.Do(func() { close(c.unblocked) }) }

func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if c.isSilent() {
		<-c.unblocked
		return 0, errCut
	}
	return n, err
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if c.isSilent() {
		return len(p), nil
	}
	return c.ReadWriteCloser.Write(p)
}

func (c *gatedConn) Close() error {
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.mu.Unlock()
	c.unblock()
	return c.ReadWriteCloser.Close()
}
