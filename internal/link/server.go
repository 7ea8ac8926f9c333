package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/inflight"
	"github.com/coder/websocket"
)

// An Authorizer decides whether a caller may speak for a container instance: at its
// upgrade by the newest state, and for what it reports by the state of the transaction
// that stores it.
type Authorizer interface {
	frontdoor.Authorizer
	Decide(s *store.Snapshot, r identity.Request) (identity.Decision, error)
}

// Config is what a Server needs. Store, Auth and ID must be set.
type Config struct {
	Store *store.Store
	Auth  Authorizer
	ID    string // names this server's process in session records
	Log   *slog.Logger
	// Heartbeat is the mean time between two heartbeats: 30 s unless set. An
	// agent that sees no message for a minute hangs up.
	Heartbeat time.Duration
	// WriteWait bounds each write: an agent that doesn't read loses its
	// connection and delays nobody else. 10 s unless set.
	WriteWait time.Duration
	// Away is until when agents could not reach the servers at all, where that is
	// known: they have to have time to come back. Zero is long ago.
	Away time.Time
	// AskFor is how long the answer of an agent is waited for that may still be
	// connected, when another one comes as the same instance: 4 s unless set.
	AskFor time.Duration
	// Comeback is how long the machine that was connected last may take to come back
	// before another one with its identity is taken for it: 25 s unless set. Agents
	// try again every 20 s or so.
	Comeback time.Duration
	// Linger is how long the session of a deregistered instance stays for its
	// last stops: a minute unless set.
	Linger time.Duration
}

// Server holds the sessions of the agents that are connected here.
type Server struct {
	cfg   Config       // constant
	store *store.Store // constant
	site  fleet.Site   // constant

	recorder *recorder
	renewals renewals
	changes  changeSignal
	memory   *inflight.Pool  // what large messages hold
	rates    *inflight.Rates // of agents' messages, by weight

	mu        sync.Mutex
	closing   bool                            // guarded by mu
	failures  contain.Failures[connectionKey] // sessions that have failed by faults of their own; guarded by mu
	sessions  map[peer]*session               // the newest ACS connection of each; guarded by mu
	telemetry map[peer]*telemetry             // the newest TCS connection of each; guarded by mu

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	conns  sync.WaitGroup // upgrade handlers and what they start
	loops  sync.WaitGroup // dispatcher and recorder
}

// New begins to serve. On a store that no other process shares, session records
// that an earlier process has left are removed first.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Store == nil || cfg.Auth == nil || cfg.ID == "" {
		return nil, errors.New("link: store, authorizer and id must be set")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 30 * time.Second
	}
	if cfg.WriteWait == 0 {
		cfg.WriteWait = 10 * time.Second
	}
	if cfg.AskFor == 0 {
		cfg.AskFor = 4 * time.Second
	}
	if cfg.Comeback == 0 {
		cfg.Comeback = 25 * time.Second
	}
	if cfg.Linger == 0 {
		cfg.Linger = time.Minute
	}
	s := &Server{
		cfg: cfg, store: cfg.Store, site: cfg.Store.Site(),
		sessions: map[peer]*session{}, telemetry: map[peer]*telemetry{},
		memory: inflight.New(maxMemory, messageWait), rates: inflight.NewRates(weightPerSecond, weightBurst),
	}
	if s.store.Sole() {
		err := removeStaleRecords(ctx, s.store)
		if errors.Is(err, store.ErrDisk) {
			cfg.Log.Warn("link: sessions of an earlier process are left to end with its lease", "err", err)
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("link: remove the sessions of an earlier process: %w", err)
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.recorder = newRecorder(s)
	_, feed := s.store.Follow()
	s.loops.Go(func() { s.dispatchChanges(feed) })
	s.loops.Go(s.recorder.run)
	return s, nil
}

// ACS serves GET /acs/ws, TCS GET /tcs/ws. Both expect a verified caller in the
// request's context.
func (s *Server) ACS() http.Handler { return http.HandlerFunc(s.serveACS) }

// TCS serves the telemetry socket.
func (s *Server) TCS() http.Handler { return http.HandlerFunc(s.serveTCS) }

// Close ends every connection with close code 1001, at which agents reconnect at
// once, to another server where there is one. It waits for all of its
// goroutines; ctx only bounds the removal of the session records, which end with
// the store's lease anyway.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for _, c := range s.sessions {
		c.requestClose(websocket.StatusGoingAway, "server is shutting down")
	}
	for _, c := range s.telemetry {
		c.requestClose(websocket.StatusGoingAway, "server is shutting down")
	}
	s.mu.Unlock()
	s.conns.Wait()
	s.cancel()
	s.loops.Wait()
	err := s.recorder.processPending(ctx)
	if err != nil && ctx.Err() != nil || errors.Is(err, store.ErrDisk) {
		s.cfg.Log.Warn("link: session records are left to end with the lease", "err", err)
		return nil
	}
	return err
}

// endSessions ends every session, as Close does; agents may come back.
func (s *Server) endSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		x.requestClose(websocket.StatusGoingAway, "this server can't reach its state")
	}
	for _, t := range s.telemetry {
		t.requestClose(websocket.StatusGoingAway, "this server can't reach its state")
	}
}

// addConn counts an upgrade in, unless the server is closing.
func (s *Server) addConn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.conns.Add(1)
	return true
}

// CountConnected says how many agents hold an ACS connection to this server.
func (s *Server) CountConnected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// dispatchChanges follows the store and wakes the sessions that a change concerns, and
// no others.
func (s *Server) dispatchChanges(feed *store.Feed) {
	for {
		a, err := feed.Next(s.ctx)
		if err != nil {
			return // closed
		}
		for _, c := range a.Changes {
			if err := contain.Do(func() error { s.dispatchChange(a, c); return nil }); err != nil {
				s.cfg.Log.Error("link: a change was not passed on", append(contain.Attrs(err), "kind", c.Kind.String(), "names", c.Names)...)
			}
		}
	}
}

// dispatchChange wakes the session that a change concerns.
func (s *Server) dispatchChange(a store.Advance, c store.Change) {
	switch c.Kind {
	case store.TaskChanged:
		t := a.Next.Task(c.Names[0], c.Names[1])
		if t == nil {
			t = a.Prev.Task(c.Names[0], c.Names[1])
		}
		if t != nil {
			if x := s.findSession(peer{c.Names[0], t.Instance}); x != nil {
				x.markTask(t.ID, sendableStatus(a.Next, t, t.Instance))
			}
		}
	case store.RestoredChanged:
		s.markUnsent(a.Next)
	case store.InstanceChanged:
		p := peer{c.Names[0], c.Names[1]}
		s.noteInstanceChange(p)
		s.changes.notify()
		if p.checkReadable(a.Prev) != nil {
			s.recorder.requestCheck(p) // it can be recorded now
		}
	case store.SessionChanged:
		s.changes.notify()
		p := peer{c.Names[0], c.Names[1]}
		if was := a.Prev.Session(p.cluster, p.id); was != nil && a.Next.Session(p.cluster, p.id) == nil {
			s.renewals.noteLeft(p, was, time.Now(), time.Now())
		}
		if x := s.findSession(p); x != nil {
			if r := a.Next.Session(p.cluster, p.id); r == nil || r.Connection != x.id {
				s.recorder.requestCheck(p)
			}
		}
	}
}

// markUnsent has every session look again at what it has not sent: it may be by now.
func (s *Server) markUnsent(snap *store.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, x := range s.sessions {
		for t := range snap.TasksOn(p.cluster, p.id) {
			if t.Report == nil {
				x.markTask(t.ID, sendableStatus(snap, t, p.id))
			}
		}
	}
}

func (s *Server) findSession(p peer) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[p]
}

// noteInstanceChange tells the instance's connections, if there are any, that it has changed.
func (s *Server) noteInstanceChange(p peer) {
	s.mu.Lock()
	x, t := s.sessions[p], s.telemetry[p]
	s.mu.Unlock()
	if x != nil {
		x.markInstance()
		if d := s.store.Snapshot().Instance(p.cluster, p.id); d != nil && d.Duplicate != nil && d.Duplicate.Connection == x.id && !d.Duplicate.Refused {
			s.answerLater(p, x)
		}
	}
	if t != nil {
		if p.isDeregistered(s.store.Snapshot()) {
			t.requestClose(closeRefused, inactiveRefusal(p).Error())
		}
	}
}
