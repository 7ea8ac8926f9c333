// Package session is the agent's side of the connection to the control plane. It registers
// the host, keeps the two websockets open (ACS for orders, TCS for telemetry) and delivers
// the engine's reports. It decides nothing about tasks; the engine does.
//
//	Run ── register ── discover ──┬── ACS: payloads → engine, acks ←
//	                              ├── TCS: metrics, health →
//	                              └── outbox: engine's reports → many in one message of
//	                                  ACS if the server accepts that, else
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

// Config configures a Session.
type Config struct {
	Server      string   // URL of the API
	Others      []string // URLs of the control plane's other servers, tried in turn
	Region      string
	Cluster     string
	Credentials func() (Credentials, error) // called for each request, so that changed keys take effect at once
	Version     string
	EngineName  string // "DockerVersion: …" without the prefix
	Host        Host
	Engine      *engine.Engine
	Journal     *journal.Journal // nil: the host is a new instance after each start
	Log         *slog.Logger

	Boot         string            // identifies this boot of the machine; empty: unknown
	Transport    http.RoundTripper // for calls and upgrades; nil: its own
	OnConnection func(up bool)     // called when the connection for orders opens and closes; may be nil

	// Zero means the protocol's own interval.
	MetricsEvery time.Duration
}

// Identity is the instance as which the host is registered.
type Identity struct {
	InstanceArn string `json:"instanceArn"`
	Cluster     string `json:"cluster"`
}

// Session is the connection to one control plane.
type Session struct {
	cfg    Config
	log    *slog.Logger
	api    *client
	outbox *outbox
	creds  *credentials

	discovering sync.Mutex

	health healthChanges

	statusDue atomic.Bool // the instance status is to be sent by TCS

	mu            sync.Mutex
	id            Identity
	journaled     Identity // the identity that is durable in the journal
	latest        int64    // highest seqNum or timeline so far
	manifest      string
	connected     bool // the connection for orders is open
	everConnected bool // it was open at least once in this process
	endpoints     *endpoints
	moves         []*move            // requested moves, in order
	interrupt     context.CancelFunc // interrupts what Run does now; nil if nothing
}

const (
	identityKey = "identity"
	sequenceKey = "sequence"
)

// New prepares a session and reads the host's identity from the journal.
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

// readJournal reads a value of the journal. A value that can't be decoded counts as lost.
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

// Identity returns the current or last identity of the host.
func (s *Session) Identity() Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// RestoreIdentity sets the identity of a host whose journal is lost.
func (s *Session) RestoreIdentity(id Identity) error { return s.setIdentity(id) }

// IsConnected reports whether orders can reach the host.
func (s *Session) IsConnected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

// setConnected records that the connection for orders opened or closed.
func (s *Session) setConnected(up bool) {
	s.mu.Lock()
	s.connected = up
	s.everConnected = s.everConnected || up
	s.mu.Unlock()
	if s.cfg.OnConnection != nil {
		s.cfg.OnConnection(up)
	}
}

// Cluster returns the cluster in which the host should be.
func (s *Session) Cluster() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Cluster
}

// setIdentity sets and journals the identity.
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
	if known { // with a full disk, a known host can still register
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

// advanceSequence records a sequence number. It returns false if the number is not new.
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

// NotifyReport says that a task has a report. It never blocks.
func (s *Session) NotifyReport(taskArn string) { s.outbox.enqueue(taskArn) }

// Run talks to the control plane until the context ends. Then it returns nil.
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

// runRegistration registers the host, unless that is done, and runs the connections until
// a move is requested or the context ends.
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

// runConnections runs the connections of one registration until the context ends.
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

// pruneCredentials removes the credentials of tasks that no longer exist.
func (s *Session) pruneCredentials() {
	s.creds.retain(s.cfg.Engine.HasTask)
}

// credentials are the credentials of tasks' roles. They are only in memory.
type credentials struct {
	mu    sync.Mutex
	byKey map[string]acs.Credentials // by role type and task ARN
}

func newCredentials() *credentials { return &credentials{byKey: map[string]acs.Credentials{}} }

func credentialsKey(task, role string) string { return role + "\x00" + task }

func (c *credentials) put(task, role string, v acs.Credentials) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byKey[credentialsKey(task, role)] = v
}

// retain removes the credentials of all tasks for which knows returns false.
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
