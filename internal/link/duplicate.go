package link

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/coder/websocket"
)

// Two machines can have one identity if the disk of one is a copy of the other's. The
// connected agent stays and the other is refused. A connection counts as alive while its
// agent answers a ping; a connection that broke silently does not answer.
//
//	new connection of             connected       then
//	the connected process         yes             it replaces the old connection
//	an unknown or other process   yes             the connected agent is pinged:
//	                                                it answers    refused, and an event says so
//	                                                no answer     it replaces the old connection
//	the same machine and boot     no              accepted
//	another machine or boot       no, but lately  refused for a while: the last may come back
//	another machine or boot       no              accepted
//
// If another server has the connection, that server pings its agent. It learns of the
// question from the instance's record, and writes its answer there.
const (
	// otherServerWait is how much longer another server may take to answer than its
	// agent.
	otherServerWait = 2 * time.Second
	// duplicateMaxAge is how long a recorded duplicate stays valid.
	duplicateMaxAge = time.Minute
	// duplicateEventInterval is the time between two events about the same duplicate.
	duplicateEventInterval = 10 * time.Minute
)

// errSuperseded means that another connection has come since the decision.
var errSuperseded = errors.New("another connection has come meanwhile")

// claimInstance writes a new connection into the instance's record, or returns why it may
// not. tried says that it tried to write.
func (s *Server) claimInstance(r *http.Request, p peer, x *session) (tried bool, why *refusal) {
	for {
		previous, why := s.checkDuplicate(r.Context(), p, &x.record, hostOf(r.RemoteAddr))
		if why != nil {
			return tried, why
		}
		tried = true
		err := s.writeRecord(r.Context(), p, &x.record, previous)
		switch {
		case err == nil:
			return tried, nil
		case errors.Is(err, errSuperseded) && r.Context().Err() == nil:
			continue
		case errors.As(err, &why):
			return tried, why
		}
		s.cfg.Log.Warn("link: session not recorded", "instance", p, "err", err)
		message := "the session can't be recorded at the moment"
		var told interface{ Public() string }
		if errors.As(err, &told) {
			message += ": " + told.Public()
		}
		return tried, newRefusal(http.StatusServiceUnavailable, acs.ServerException, "%s", message)
	}
}

// checkDuplicate decides whether a new connection may become the instance's. previous is
// the id of the connection that the instance had at the time of the decision, or "".
func (s *Server) checkDuplicate(ctx context.Context, p peer, next *fleet.InstanceSession, address string) (previous string, why *refusal) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AskFor+otherServerWait)
	defer cancel()
	asked := false
	for {
		changed := s.changes.whenChanged()
		snap := s.store.Snapshot()
		old, inst := snap.Session(p.cluster, p.id), snap.Instance(p.cluster, p.id)
		switch {
		case old == nil && asked:
			return "", nil // the old agent did not answer
		case old == nil:
			return "", s.checkComeback(p, inst, next, time.Now())
		case old.Run.Same(next.Run):
			return old.Connection, nil
		case old.Server == s.cfg.ID:
			return old.Connection, s.pingOwn(ctx, p, old, address)
		case inst == nil:
			return old.Connection, nil // writeRecord returns why it may not connect
		}
		if d := inst.Duplicate; d != nil && d.Connection == old.Connection && d.Refused && time.Since(d.At) < duplicateMaxAge {
			return "", duplicateRefusal(p)
		}
		if !asked {
			asked = true
			if err := s.recordDuplicate(ctx, p, fleet.DuplicateAgent{Connection: old.Connection, Address: address}); err != nil {
				s.cfg.Log.Warn("link: the server of an older connection can't be asked", "instance", p, "err", err)
				return "", newRefusal(http.StatusServiceUnavailable, acs.ServerException, "the session can't be recorded at the moment")
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return old.Connection, nil // the old connection's server is gone, or the connection is
		}
	}
}

// duplicateRefusal is the answer to an agent whose identity another connected machine has.
func duplicateRefusal(p peer) *refusal {
	return newRefusal(http.StatusConflict, acs.InvalidInstanceException,
		"the agent of another machine is connected as the container instance %s. Where this machine was copied from that one, remove the agent's data folder here and give this machine credentials of its own.", p.id)
}

// pingOwn pings the agent of a connection to this server. If the agent answers, the new
// connection is refused.
func (s *Server) pingOwn(ctx context.Context, p peer, old *fleet.InstanceSession, address string) *refusal {
	x := s.findSession(p)
	if x == nil || x.id != old.Connection {
		return nil // the old connection has ended, and its record is about to go
	}
	if !x.isAlive(ctx) {
		x.requestClose(closeRefused, "superseded by a newer connection")
		return nil
	}
	s.cfg.Log.Warn("link: a second agent with an instance's identity is refused", "instance", p, "remote", address)
	if err := s.recordDuplicate(ctx, p, fleet.DuplicateAgent{Connection: old.Connection, Address: address, Refused: true}); err != nil {
		s.cfg.Log.Warn("link: that is not told", "instance", p, "err", err)
	}
	return duplicateRefusal(p)
}

// checkComeback decides whether an agent may connect to an instance without a connection.
func (s *Server) checkComeback(p peer, inst *fleet.Instance, next *fleet.InstanceSession, now time.Time) *refusal {
	if inst == nil || inst.Boot == "" || next.Run.Boot == "" || inst.Boot == next.Run.Boot {
		return nil
	}
	last, known := s.renewals.lastHeard(p)
	if !known {
		last = s.cfg.Away
	}
	if now.Sub(last) >= s.cfg.Comeback {
		return nil
	}
	return newRefusal(http.StatusServiceUnavailable, acs.ServerException,
		"another machine, or this one before it booted, was connected as the container instance %s until a moment ago; it has %s to come back", p.id, s.cfg.Comeback)
}

// isAlive reports whether the agent answers a ping. An agent whose message is being
// handled counts as alive.
func (x *session) isAlive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, x.s.cfg.AskFor)
	defer cancel()
	began := time.Now()
	err := x.socket.ping(ctx)
	return err == nil || x.handling.Load() || x.lastHeard().After(began)
}

// answerLater answers another server's question about a connection to this server, in a
// goroutine. Either it writes the answer into the record, or it ends the connection.
func (s *Server) answerLater(p peer, x *session) {
	if !x.pinging.CompareAndSwap(false, true) {
		return
	}
	s.loops.Go(func() {
		defer x.pinging.Store(false)
		if err := contain.Do(func() error { return s.answerQuestion(p, x) }); err != nil {
			s.cfg.Log.Warn("link: another server's question is not answered", append(contain.Attrs(err), "instance", p)...)
		}
	})
}

// answerQuestion pings the agent and answers for it.
func (s *Server) answerQuestion(p peer, x *session) error {
	if !x.isAlive(s.ctx) {
		x.requestClose(closeRefused, "superseded by a newer connection")
		return nil
	}
	inst := s.store.Snapshot().Instance(p.cluster, p.id)
	if inst == nil || inst.Duplicate == nil || inst.Duplicate.Connection != x.id {
		return nil
	}
	next := *inst.Duplicate
	next.Refused = true
	s.cfg.Log.Warn("link: a second agent with an instance's identity is refused", "instance", p, "remote", next.Address)
	return s.recordDuplicate(s.ctx, p, next)
}

// recordDuplicate writes a duplicate into the instance's record, unless the record has it
// and is recent.
func (s *Server) recordDuplicate(ctx context.Context, p peer, d fleet.DuplicateAgent) error {
	return updateStore(ctx, s.store, func(tx *store.Tx) error {
		k := store.InstanceKey(p.cluster, p.id)
		inst := store.Get(tx, k)
		if inst == nil {
			return nil
		}
		d.At = time.Now().UTC().Truncate(time.Millisecond)
		if o := inst.Duplicate; o != nil && o.Connection == d.Connection {
			if age := d.At.Sub(o.At); o.Refused == d.Refused && age < duplicateMaxAge {
				return nil
			}
			d.ReportedAt = o.ReportedAt
		}
		if d.Refused && d.At.Sub(d.ReportedAt) >= duplicateEventInterval {
			d.ReportedAt = d.At
		}
		next := *inst
		next.Duplicate = &d
		return store.Put(tx, k, &next)
	})
}

// hostOf returns the address without its port.
func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return ""
	}
	return host
}

// changeSignal wakes goroutines that wait for a change of a session or an instance.
type changeSignal struct {
	mu sync.Mutex
	ch chan struct{} // nil while none waits
}

// whenChanged returns a channel that closes at the next change.
func (c *changeSignal) whenChanged() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil {
		c.ch = make(chan struct{})
	}
	return c.ch
}

// notify closes the current channel.
func (c *changeSignal) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
		c.ch = nil
	}
}

// checkTelemetryDuplicate refuses a telemetry connection of another agent than the one
// with the ACS connection. If that is unknown, it compares with the current telemetry
// connection.
func (s *Server) checkTelemetryDuplicate(ctx context.Context, p peer, run fleet.AgentRun) *refusal {
	if rec := s.store.Snapshot().Session(p.cluster, p.id); rec != nil && rec.Run.Process != "" && run.Process != "" {
		if rec.Run.Differs(run) {
			return duplicateRefusal(p)
		}
		return nil
	}
	s.mu.Lock()
	old := s.telemetry[p]
	s.mu.Unlock()
	if old == nil || old.run.Same(run) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AskFor)
	defer cancel()
	if old.socket.ping(ctx) == nil {
		return duplicateRefusal(p)
	}
	return nil
}

// socket is a connection that other goroutines may ping, from its upgrade on.
type socket struct {
	up   chan struct{} // closed when the upgrade has ended
	conn *websocket.Conn
}

func newSocket() *socket { return &socket{up: make(chan struct{})} }

// setConn sets the connection, or nil if the upgrade failed.
func (l *socket) setConn(conn *websocket.Conn) {
	l.conn = conn
	close(l.up)
}

var errNoSocket = errors.New("the upgrade failed")

// ping pings the agent and waits for the answer.
func (l *socket) ping(ctx context.Context) error {
	select {
	case <-l.up:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.conn == nil {
		return errNoSocket
	}
	return l.conn.Ping(ctx)
}
