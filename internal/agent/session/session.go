// Package session is the agent's side of the conversation with the control
// plane: it registers the host, keeps the two websockets up (ACS for orders, TCS
// for telemetry) and delivers the engine's reports. It decides nothing about
// tasks; the engine does.
//
//	Run ── register ── discover ──┬── ACS: payloads → engine, acks ←
//	                              ├── TCS: metrics, health →
//	                              └── outbox: engine's reports → many in one message of
//	                                  ACS where the server takes them so, else
//	                                  SubmitTaskStateChange
package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Config of a Session.
type Config struct {
	Server      string   // URL of the API
	Others      []string // of further servers of the same control plane, tried in turn
	Region      string
	Cluster     string
	Credentials func() (Credentials, error) // asked for each request, so that changed keys count at once
	Version     string
	EngineName  string // "DockerVersion: …" without the prefix
	Host        Host
	Engine      *engine.Engine
	Journal     *journal.Journal // nil: a new instance each time
	Log         *slog.Logger

	Boot         string            // tells this run of the machine from others; empty: unknown
	Transport    http.RoundTripper // of calls and upgrades; nil: one of its own
	OnConnection func(up bool)     // told when orders begin and cease to reach the host; may be nil

	// Paces; zero values are the protocol's own.
	MetricsEvery time.Duration
}

// Identity is what the host is registered as.
type Identity struct {
	InstanceArn string `json:"instanceArn"`
	Cluster     string `json:"cluster"`
}

// Session with one control plane.
type Session struct {
	cfg    Config
	log    *slog.Logger
	api    *client
	outbox *outbox
	creds  *credentials

	discovering sync.Mutex

	health healthChanges

	statusDue atomic.Bool // a heartbeat has come that TCS has not yet answered

	mu            sync.Mutex
	id            Identity
	journaled     Identity // durable
	latest        int64    // highest seqNum or timeline seen
	manifest      string
	connected     bool // ACS
	everConnected bool // ACS was up once in this process
	endpoints     *endpoints
	moves         []*move            // wished for, in turn
	interrupt     context.CancelFunc // of what Run does now; nil when it does nothing
}

const (
	identityKey = "identity"
	sequenceKey = "sequence"
)

// New prepares a session and reads who the host was.
func New(cfg Config) (*Session, error) {
	if cfg.MetricsEvery == 0 {
		cfg.MetricsEvery = 20 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Session{
		cfg: cfg, log: cfg.Log, creds: newCredentials(),
	}
	s.api = newClient(append([]string{cfg.Server}, cfg.Others...), cfg.Region, cfg.Version, cfg.Credentials, cfg.Transport)
	s.api.run = uuid.NewString()
	s.outbox = newOutbox(s)
	if cfg.Journal == nil {
		return s, nil
	}
	var err error
	if s.id, err = readJournal[Identity](s, identityKey); err != nil {
		return nil, err
	}
	s.journaled = s.id
	if s.latest, err = readJournal[int64](s, sequenceKey); err != nil {
		return nil, err
	}
	return s, nil
}

// readJournal reads a value of the journal. One that can't be read counts as lost,
// as it would with the whole journal.
func readJournal[T any](s *Session, key string) (T, error) {
	var v, none T
	data, err := s.cfg.Journal.Get(journal.Meta, key)
	if err != nil {
		return none, fmt.Errorf("journal: %s: %w", key, err)
	}
	if data == nil {
		return none, nil
	}
	if err := json.Unmarshal(data, &v); err != nil {
		s.log.Error("journal: a record cannot be read and counts as lost", "record", key, "err", err)
		return none, nil
	}
	return v, nil
}

// Identity is who the host is registered as, or last was.
func (s *Session) Identity() Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// RestoreIdentity sets an identity found otherwise, for a host whose journal is lost.
func (s *Session) RestoreIdentity(id Identity) error { return s.setIdentity(id) }

// IsConnected tells whether orders can reach the host.
func (s *Session) IsConnected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

func (s *Session) setConnected(up bool) {
	s.mu.Lock()
	s.connected = up
	s.everConnected = s.everConnected || up
	s.mu.Unlock()
	if s.cfg.OnConnection != nil {
		s.cfg.OnConnection(up)
	}
}

// Cluster is the one that the host shall be in.
func (s *Session) Cluster() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Cluster
}

func (s *Session) setIdentity(id Identity) error {
	s.mu.Lock()
	s.id = id
	s.mu.Unlock()
	if id.InstanceArn != "" {
		s.cfg.Engine.SetInstance(id.InstanceArn, id.Cluster)
	}
	s.mu.Lock()
	known := s.cfg.Journal == nil || s.journaled == id
	s.mu.Unlock()
	if known { // a full disk keeps no host from registering as what it was
		return nil
	}
	data, err := json.Marshal(id)
	if err == nil {
		err = s.cfg.Journal.Put(journal.Meta, identityKey, data).Wait()
	}
	if err == nil {
		s.mu.Lock()
		s.journaled = id
		s.mu.Unlock()
	}
	return err
}

// advanceSequence notes a sequence number and tells whether it is news.
func (s *Session) advanceSequence(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n <= s.latest {
		return false
	}
	s.latest = n
	if s.cfg.Journal != nil {
		if data, err := json.Marshal(n); err == nil {
			s.cfg.Journal.Put(journal.Meta, sequenceKey, data)
		}
	}
	return true
}

// NotifyReport tells that a task has a report. It never blocks.
func (s *Session) NotifyReport(taskArn string) { s.outbox.enqueue(taskArn) }

// Run speaks with the control plane until the context ends. It returns nil then.
func (s *Session) Run(ctx context.Context) error {
	registered := false
	for ctx.Err() == nil {
		var err error
		registered, err = s.runRegistration(ctx, registered)
		switch m := s.nextMove(); {
		case m != nil:
			err = s.carryOutMove(ctx, m)
			registered = err == nil
			m.done <- err
		case ctx.Err() == nil && err != nil && !errors.Is(err, context.Canceled):
			return err
		}
	}
	return nil
}

// runRegistration registers, unless that is done, and serves, until a move is asked for or
// the context ends.
func (s *Session) runRegistration(ctx context.Context, registered bool) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.interrupt = cancel
	asked := len(s.moves) > 0
	s.mu.Unlock()
	if asked {
		return registered, nil
	}
	if !registered {
		if err := s.register(ctx, s.Cluster(), s.Identity(), false); err != nil {
			return false, err
		}
	}
	s.runConnections(ctx)
	return true, nil
}

// runConnections keeps everything up under one registration, until the context ends.
func (s *Session) runConnections(ctx context.Context) {
	s.mu.Lock()
	s.endpoints = &endpoints{}
	s.mu.Unlock()
	s.outbox.start(ctx)
	defer s.outbox.wait()
	var telemetry sync.WaitGroup
	defer telemetry.Wait()
	telemetry.Go(func() { s.runTCS(ctx) })
	s.runACS(ctx)
}

// pruneCredentials drops credentials of tasks that are gone.
func (s *Session) pruneCredentials() {
	s.creds.retain(s.cfg.Engine.HasTask)
}

// credentials of tasks' roles: in memory only.
type credentials struct {
	mu    sync.Mutex
	byKey map[string]acs.Credentials // task ARN and role type
}

func newCredentials() *credentials { return &credentials{byKey: map[string]acs.Credentials{}} }

func credentialsKey(task, role string) string { return role + "\x00" + task }

func (c *credentials) put(task, role string, v acs.Credentials) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byKey[credentialsKey(task, role)] = v
}

func (c *credentials) retain(knows func(string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.byKey {
		for i := range k {
			if k[i] == 0 {
				if !knows(k[i+1:]) {
					delete(c.byKey, k)
				}
				break
			}
		}
	}
}
