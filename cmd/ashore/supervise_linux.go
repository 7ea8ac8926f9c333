package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/version"
)

// superviseCommand keeps control plane and agent running for `ashore up --detach`. It
// restarts a process that has ended.
type superviseCommand struct {
	dataDir     `kong:"embed"`
	serverFlags `kong:"embed"`
	logFlags    `kong:"embed"`
}

// watchLimit is how long a watcher may take until it has locked its pid file.
const watchLimit = 10 * time.Second

func (superviseCommand) Example() string { return "ashore supervise --data-dir ./data" }

func (w *superviseCommand) Run(ctx context.Context, t *terminal) error {
	l, err := w.layout()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return watch(ctx, local.Watch{
		Layout: l, Log: w.logger(t, l, "watch"),
		Starts: []local.Start{serverStart(l, self, w.serverFlags), agentStart(l, self, nil)},
	})
}

// watch runs a watcher. An installation has only one.
func watch(ctx context.Context, w local.Watch) (err error) {
	path := w.Layout.PID("watch")
	claim, err := local.TakeClaim(ctx, path)
	if errors.Is(err, local.ErrRunning) {
		p, _, _ := local.Running(path)
		return hint.With(fmt.Errorf("process %d watches over %s already", p.PID, w.Layout.Data), "stop it by `ashore down`")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	if err := claim.WriteProcess(local.Process{Version: version.Number, Ready: true}); err != nil {
		return err
	}
	w.Run(ctx)
	return nil
}

// serverStart returns how `ashore up` starts the server.
func serverStart(l local.Layout, self string, f serverFlags) local.Start {
	return local.Start{Process: "server", Binary: self, Limit: serverLimit,
		Args: append([]string{"server", "--data-dir", l.Data}, f.args()...)}
}

// agentStart returns how `ashore up` starts the agent.
func agentStart(l local.Layout, self string, env []string) local.Start {
	return local.Start{Process: "agent", Binary: self, Limit: agentLimit, Env: env,
		Args: []string{"agent", "--data-dir", l.Data}}
}
