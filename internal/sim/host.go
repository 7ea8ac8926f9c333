package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/store"
)

// HostConfig configures a Host.
type HostConfig struct {
	Name         string
	Dir          string // a short path, since it contains a unix socket
	Servers      []string
	Installation store.Installation
	Credentials  client.HostCredentials
	Cluster      string
	Machine      *Machine
	// Journal stores the agent's state in Dir. Without it, an agent that is started
	// again registers as a new instance.
	Journal bool
	Getenv  func(string) string // the agent's environment; nil is empty
	Log     *slog.Logger

	// NoSocket disables the agent's control socket, and so State. Then Dir may be empty
	// if there is no journal.
	NoSocket     bool
	Transport    http.RoundTripper // nil: the agent's own
	MetricsEvery time.Duration
	EngineAway   time.Duration
	OnConnection func(up bool)
}

// Host is a machine with our agent. Its methods are for one goroutine.
type Host struct {
	cfg    HostConfig
	cancel context.CancelFunc
	done   chan error
	http   *http.Client
}

// NewHost creates a host. Start starts its agent.
func NewHost(cfg HostConfig) *Host {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	if cfg.NoSocket {
		return &Host{cfg: cfg}
	}
	sock := filepath.Join(cfg.Dir, agent.SocketFile)
	return &Host{cfg: cfg, http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", sock)
		},
	}}}
}

// Machine returns the machine, which outlives the agent.
func (h *Host) Machine() *Machine { return h.cfg.Machine }

// Start starts the agent.
func (h *Host) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.done = cancel, make(chan error, 1)
	in := h.cfg.Installation
	a := agent.Agent{Config: agent.Config{
		Dir: h.cfg.Dir,
		Settings: &agent.Settings{
			Server: h.cfg.Servers[0], Others: h.cfg.Servers[1:], Cluster: h.cfg.Cluster,
			InstallationID: in.ID, Region: in.Region, Account: in.Account,
		},
		Credentials: func() (session.Credentials, error) {
			return session.Credentials{AccessKeyID: h.cfg.Credentials.AccessKeyID, SecretAccessKey: h.cfg.Credentials.SecretAccessKey}, nil
		},
		Runtime: h.cfg.Machine, Log: h.cfg.Log.With("host", h.cfg.Name), Version: "sim",
		Getenv:    h.cfg.Getenv,
		NoJournal: !h.cfg.Journal, MachineID: h.cfg.Name, Parallel: 16,
		NoSocket: h.cfg.NoSocket, Transport: h.cfg.Transport, MetricsEvery: h.cfg.MetricsEvery, EngineAway: h.cfg.EngineAway, OnConnection: h.cfg.OnConnection,
	}}
	go func() { h.done <- a.Run(ctx) }()
}

// Stop stops the agent. The machine goes on.
func (h *Host) Stop() error {
	if h.cancel == nil {
		return nil
	}
	h.cancel()
	h.cancel = nil
	return <-h.done
}

// Close stops the agent and the machine.
func (h *Host) Close() error {
	return errors.Join(h.Stop(), h.cfg.Machine.Close())
}

// State returns the agent's view of its tasks.
func (h *Host) State(ctx context.Context) (s agent.State, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/v1/state", nil)
	if err != nil {
		return s, err
	}
	r, err := h.http.Do(req)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.Body.Close()) }()
	if r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(r.Body) // for the message only
		return s, fmt.Errorf("agent of %s: %s: %s", h.cfg.Name, r.Status, body)
	}
	return s, json.NewDecoder(r.Body).Decode(&s)
}
