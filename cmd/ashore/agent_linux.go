package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/version"
)

// agentCommand runs this host's agent in one process until SIGTERM. The agent is ready
// when orders can reach it.
type agentCommand struct {
	dataDir  `kong:"embed"`
	logFlags `kong:"embed"`
}

func (agentCommand) Example() string {
	return "ECS_RESERVED_MEMORY=512 ashore agent --data-dir ./data"
}

func (a *agentCommand) Run(ctx context.Context, t *terminal) (err error) {
	l, err := a.layout()
	if err != nil {
		return err
	}
	if err := l.Make(); err != nil {
		return hint.With(err, "use a folder that you may write, by --data-dir")
	}
	claim, err := local.TakeClaim(ctx, l.PID("agent"))
	if errors.Is(err, local.ErrRunning) {
		p, _, _ := local.Running(l.PID("agent"))
		return hint.With(fmt.Errorf("an agent runs on %s already (process %d)", l.Data, p.PID), "stop it by `ashore down`, or use another folder by --data-dir")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	is, err := thisProcess()
	if err != nil {
		return err
	}
	if err := claim.WriteProcess(is); err != nil {
		return err
	}
	log := a.logger(t, l, "agent")
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := agent.Agent{Config: agent.Config{Dir: l.Agent(), Log: log, Version: version.Number}}.Run(gctx)
		if err == nil && ctx.Err() == nil {
			err = errors.New("the agent ended by itself")
		}
		return err
	})
	g.Go(func() error { return reportConnected(gctx, l, claim, is) })
	err = g.Wait()
	log.Info("stopped", "cause", context.Cause(ctx))
	return err
}

// reportConnected waits until the agent is connected and then writes that into the pid
// file. Like any other program it asks the agent over its socket.
func reportConnected(ctx context.Context, l local.Layout, claim *local.Claim, is local.Process) error {
	for wait := 5 * time.Millisecond; ; wait = min(wait*5/4, time.Second) {
		if s, err := agentState(ctx, l); err == nil && s.Connected {
			is.Ready, is.Endpoint = true, s.Server
			return claim.WriteProcess(is)
		}
		if pace.Sleep(ctx, wait) != nil {
			return nil // the command ended before the agent was connected; Run says why
		}
	}
}
