package sim

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Wire is the network in front of a server: a TCP relay that can be cut. As in a lost
// network, the two sides of a cut connection notice it separately: the client at once, the
// server not before Close.
type Wire struct {
	l net.Listener

	mu     sync.Mutex
	target string
	cut    bool
	lost   map[net.Conn]struct{} // client connections that were cut
	client map[net.Conn]struct{}
	server map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// NewWire returns a relay from its own loopback port to target.
func NewWire(target string) (*Wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Wire{target: target, l: l, lost: map[net.Conn]struct{}{}, client: map[net.Conn]struct{}{}, server: map[net.Conn]struct{}{}}
	w.wg.Go(w.accept)
	return w, nil
}

// URL returns the server's address for clients.
func (w *Wire) URL() string { return "http://" + w.l.Addr().String() }

// Cut closes the clients' side of every connection, and refuses new ones until Restore.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for c := range w.client {
		w.lost[c] = struct{}{}
		c.Close()
	}
}

// SetTarget sets the target of new connections.
func (w *Wire) SetTarget(target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target = target
}

// Restore allows new connections again.
func (w *Wire) Restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// Close closes the relay and all connections.
func (w *Wire) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	for _, side := range []map[net.Conn]struct{}{w.client, w.server} {
		for c := range side {
			c.Close()
		}
	}
	err := w.l.Close()
	w.mu.Unlock()
	w.wg.Wait()
	return err
}

func (w *Wire) accept() {
	for {
		c, err := w.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			panic(fmt.Sprintf("sim: accept: %v", err)) // a test's loopback listener has no other errors
		}
		w.mu.Lock()
		if w.cut || w.closed {
			c.Close()
			w.mu.Unlock()
			continue
		}
		w.client[c] = struct{}{}
		w.wg.Go(func() { w.relay(c) })
		w.mu.Unlock()
	}
}

func (w *Wire) relay(c net.Conn) {
	defer w.closeConn(w.client, c)
	w.mu.Lock()
	target := w.target
	w.mu.Unlock()
	s, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	w.mu.Lock()
	if w.closed {
		s.Close()
	}
	w.server[s] = struct{}{}
	w.mu.Unlock()
	defer w.closeConn(w.server, s)
	var back sync.WaitGroup
	back.Go(func() {
		// Either the server has ended the connection, or the client is gone. In the
		// second case, discard what the server sends: it must not notice.
		_, err := io.Copy(c, s)
		if err == nil {
			c.Close()
			return
		}
		_, _ = io.Copy(io.Discard, s)
	})
	_, _ = io.Copy(s, c) // ends when either side does; the error does not matter
	w.mu.Lock()
	_, lost := w.lost[c]
	w.mu.Unlock()
	if !lost {
		s.Close()
	}
	back.Wait()
}

func (w *Wire) closeConn(side map[net.Conn]struct{}, c net.Conn) {
	c.Close()
	w.mu.Lock()
	delete(side, c)
	delete(w.lost, c)
	w.mu.Unlock()
}
