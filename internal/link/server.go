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

// An Authorizer decides whether a caller may act for a container instance. Upgrades use
// the newest state. Reports use the state of the transaction that stores them.
type Authorizer interface {
	frontdoor.Authorizer
	Decide(s *store.Snapshot, r identity.Request) (identity.Decision, error)
}

// Config configures a Server. Store, Auth and ID are required.
type Config struct {
	Store *store.Store
	Auth  Authorizer
	ID    string // identifies this server's process in session records
	Log   *slog.Logger
	// Heartbeat is the mean time between two heartbeats, 30 s by default. An agent
	// disconnects if it gets no message for a minute.
	Heartbeat time.Duration
	// WriteWait bounds each write, 10 s by default. An agent that does not read loses
	// its connection, and delays no other agent.
	WriteWait time.Duration
	// Away is the time until which agents could not reach any server, if that is known.
	// Agents need time to come back after it. Zero means long ago.
	Away time.Time
	// AskFor is how long a connected agent may take to answer a ping when another agent
	// connects as the same instance, 4 s by default.
	AskFor time.Duration
	// Comeback is how long the machine that was connected last may stay away before
	// another machine may use its identity, 25 s by default. Agents retry about every
	// 20 s.
	Comeback time.Duration
	// Linger is how long the session of a deregistered instance stays open for its last
	// stops, a minute by default.
	Linger time.Duration
}

// Server has the sessions of the agents that are connected to this process.
type Server struct {
	cfg   Config       // constant
	store *store.Store // constant
	site  fleet.Site   // constant

	recorder *recorder
	renewals renewals
	changes  changeSignal
	memory   *inflight.Pool  // memory of large messages
	rates    *inflight.Rates // of agents' messages, by weight

	mu        sync.Mutex
	closing   bool                            // guarded by mu
	failures  contain.Failures[connectionKey] // sessions that panicked; guarded by mu
	claiming  map[string]bool                 // ids of ACS connections that are being recorded; guarded by mu
	sessions  map[peer]*session               // the newest ACS connection of each instance; guarded by mu
	telemetry map[peer]*telemetry             // the newest TCS connection of each instance; guarded by mu

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	conns  sync.WaitGroup // upgrade handlers and the goroutines that they start
	loops  sync.WaitGroup // dispatcher and recorder
}

// New starts a Server. On a store that no other process uses, it first removes the session
// records that an earlier process has left.
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
		claiming: map[string]bool{}, sessions: map[peer]*session{}, telemetry: map[peer]*telemetry{},
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

// ACS returns the handler of GET /acs/ws. It expects a verified caller in the request's
// context.
func (s *Server) ACS() http.Handler { return http.HandlerFunc(s.serveACS) }

// TCS returns the handler of GET /tcs/ws. It expects a verified caller in the request's
// context.
func (s *Server) TCS() http.Handler { return http.HandlerFunc(s.serveTCS) }

// Close ends every connection with close code 1001. Agents then reconnect at once, to
// another server if there is one. Close waits for all of its goroutines. ctx only bounds
// the removal of the session records, which end with the store's lease anyway.
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

// endSessions ends every session with the same code as Close. Agents may reconnect.
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

// addConn counts an upgrade for Close to wait for. It returns false if the server is
// closing.
func (s *Server) addConn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.conns.Add(1)
	return true
}

// CountConnected returns how many agents have an ACS connection to this server.
func (s *Server) CountConnected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// dispatchChanges follows the store and passes each change to the session that it
// concerns.
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
		before, now := a.Prev.Session(p.cluster, p.id), a.Next.Session(p.cluster, p.id)
		if before != nil && now == nil {
			s.renewals.noteLeft(p, before, time.Now(), time.Now())
		}
		switch x := s.findSession(p); {
		case s.isOrphan(p, now):
			s.recorder.noteEnded(p, now.Connection)
		case x != nil && (now == nil || now.Connection != x.id):
			s.recorder.requestCheck(p)
		}
	}
}

// markUnsent makes every session check its unreported tasks again: it may be allowed to
// send them now.
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

// findSession returns the instance's session on this server, or nil.
func (s *Server) findSession(p peer) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[p]
}

// noteInstanceChange tells the instance's connections to this server that the instance has
// changed.
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
