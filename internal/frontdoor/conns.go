package frontdoor

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/identity"
)

// These are the limits of open connections.
const (
	// maxStrangers is how many connections may be open without a verified call. Beyond
	// it the server closes the oldest one, if that is older than minStrangerAge. Beyond
	// hardMaxStrangers it closes the oldest one at any age.
	maxStrangers     = 1024
	hardMaxStrangers = 4096
	minStrangerAge   = 2 * time.Second
	// hostConns is how many idle connections a host may have.
	hostConns = 64
)

// conns tracks the open connections, except those that a mounted handler has taken
// over.
type conns struct {
	log *slog.Logger // constant

	mu        sync.Mutex
	all       map[net.Conn]*conn    // guarded by mu, as are the lists in it
	strangers *list.List            // of *conn: connections without a verified call, oldest first
	hosts     map[string]*list.List // of *conn: by the host of the first verified call, oldest first
	warned    time.Time
}

// conn is an open connection.
type conn struct {
	net   net.Conn
	since time.Time
	idle  bool
	host  string // ARN of the host; empty for strangers and other callers
	list  *list.List
	place *list.Element
}

type connKey struct{}

func newConns(log *slog.Logger) *conns {
	return &conns{log: log, all: map[net.Conn]*conn{}, strangers: list.New(), hosts: map[string]*list.List{}}
}

// onContext adds the connection to the context of its requests. net/http calls it
// before the connection's first state.
func (c *conns) onContext(ctx context.Context, n net.Conn) context.Context {
	x := &conn{net: n, since: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[n] = x
	return context.WithValue(ctx, connKey{}, x)
}

// onState tracks a connection's state.
func (c *conns) onState(n net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case http.StateNew:
		c.add(c.all[n], c.strangers)
		c.makeRoom()
	case http.StateActive, http.StateIdle:
		if x := c.all[n]; x != nil {
			x.idle = s == http.StateIdle
		}
	case http.StateClosed, http.StateHijacked:
		if x := c.all[n]; x != nil {
			c.remove(x)
			delete(c.all, n)
		}
	}
}

// makeRoom closes the oldest stranger if there are too many. A caller's first call is
// verified quickly, so a caller is rarely the oldest stranger.
func (c *conns) makeRoom() {
	n := c.strangers.Len()
	if n <= maxStrangers {
		return
	}
	oldest := c.strangers.Front().Value.(*conn)
	now := time.Now()
	if n <= hardMaxStrangers && now.Sub(oldest.since) < minStrangerAge {
		return
	}
	if now.Sub(c.warned) > time.Minute {
		c.warned = now
		c.log.Warn("too many connections without a signed call: the oldest are closed", "open", n, "from", oldest.net.RemoteAddr())
	}
	c.remove(oldest)
	_ = oldest.net.Close() // the connection's goroutine reports it to net/http
}

// markVerified records that a call over the connection was verified.
func (c *conns) markVerified(ctx context.Context, p identity.Principal) {
	x, _ := ctx.Value(connKey{}).(*conn)
	if x == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.list != c.strangers { // already known, or closed
		return
	}
	c.remove(x)
	if p.Kind != identity.Host {
		return
	}
	l := c.hosts[p.ARN]
	if l == nil {
		l = list.New()
		c.hosts[p.ARN] = l
	}
	x.host = p.ARN
	c.add(x, l)
	if l.Len() <= hostConns {
		return
	}
	for e := l.Front(); e != nil; e = e.Next() {
		if old := e.Value.(*conn); old.idle {
			c.remove(old)
			_ = old.net.Close()
			return
		}
	}
}

func (c *conns) add(x *conn, l *list.List) { x.list, x.place = l, l.PushBack(x) }

// remove removes a connection from its list.
func (c *conns) remove(x *conn) {
	if x.list == nil {
		return
	}
	x.list.Remove(x.place)
	if x.host != "" && x.list.Len() == 0 {
		delete(c.hosts, x.host)
	}
	x.list, x.place = nil, nil
}
