//go:build linux

package cluster

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/runtime/socket"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/test/cluster/lan"
)

// agentSpec describes one host's agent.
type agentSpec struct {
	Name, Dir   string
	Settings    agent.Settings
	Credentials client.HostCredentials
}

func engineSocket(dir string) string { return filepath.Join(dir, "engine") }

// run runs the agent in this process.
func (a *agentSpec) run() error {
	return agent.Agent{Config: agent.Config{
		Dir: a.Dir, Settings: &a.Settings, MachineID: a.Name, Version: "test",
		Credentials: func() (session.Credentials, error) {
			return session.Credentials{AccessKeyID: a.Credentials.AccessKeyID, SecretAccessKey: a.Credentials.SecretAccessKey}, nil
		},
		Runtime: socket.Dial(engineSocket(a.Dir)), Getenv: func(string) string { return "" },
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}}.Run(context.Background())
}

// host is a simulated machine in the test's process, and its agent at a place.
type host struct {
	name    string
	dir     string
	place   *lan.Place
	machine *machine
	engine  *socket.Server
	agent   *process
}

func newHost(dir string, place *lan.Place, m *machine, s agent.Settings, key client.HostCredentials) (*host, error) {
	dir = filepath.Join(dir, m.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	engine, err := socket.Serve(m, engineSocket(dir))
	if err != nil {
		return nil, err
	}
	p, err := newProcess(dir, m.name, place, role{Agent: &agentSpec{Name: m.name, Dir: dir, Settings: s, Credentials: key}})
	if err != nil {
		return nil, err
	}
	return &host{m.name, dir, place, m, engine, p}, p.start()
}
