package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/control/reaper"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/server"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/version"
)

// serverCommand is the control plane: one process, until SIGTERM.
type serverCommand struct {
	dataDir     `kong:"embed"`
	serverFlags `kong:"embed"`
	logFlags    `kong:"embed"`
	pprofFlags  `kong:"embed"`
}

func (serverCommand) Example() string {
	return "ashore server --data-dir ./data --listen 127.0.0.1:4701"
}

// restartGrace is how long what is open may take to close before the process
// becomes a new one. What was acknowledged is on disk.
const restartGrace = 10 * time.Second

func (s *serverCommand) Run(ctx context.Context, t *terminal) error {
	restart := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- s.once(ctx, t, restart) }()
	select {
	case err := <-ended:
		if !errors.Is(err, server.ErrRestart) {
			return advise(err)
		}
	case <-restart:
		limit := time.NewTimer(restartGrace)
		defer limit.Stop()
		select {
		case <-ended:
		case <-limit.C:
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return local.Again()
}

// once is one server, from its start to its end. It closes restart where the
// process should be started anew, before it closes what is open.
func (s *serverCommand) once(ctx context.Context, t *terminal, restart chan<- struct{}) (err error) {
	l, err := s.layout()
	if err != nil {
		return err
	}
	if err := onlyLoopback(s.listen()); err != nil {
		return err
	}
	if err := l.Make(); err != nil {
		return hint.With(err, "use a folder that you may write, by --data-dir")
	}
	claim, err := local.TakeClaim(ctx, l.PID("server"))
	if errors.Is(err, local.ErrRunning) {
		p, _, _ := local.Running(l.PID("server"))
		return hint.With(fmt.Errorf("a server runs on %s already (process %d)", l.Data, p.PID), "stop it by `ashore down`, or use another folder by --data-dir")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	if err := claim.Say(local.Process{Version: version.Number}); err != nil {
		return err
	}
	listener, err := local.Listen(s.listen(), "--listen")
	if err != nil {
		return err
	}
	defer listener.Close() // Serve has closed it, if it came to that

	stopProfiles, err := s.pprofFlags.serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()
	log := s.logger(t)
	if err := sameState(l, len(s.EtcdEndpoints) > 0); err != nil {
		return err
	}
	c := server.Config{
		Dir: l.Server(), Prefix: s.EtcdPrefix, External: s.external(log), Site: fleet.Site{Account: s.Account, Region: s.Region},
		Version: version.Number, Log: log, Maintain: s.EtcdMaintain, DiskReserve: s.DiskReserve << 20,
		Limits: reaper.Limits{StoppedAge: s.KeepStopped, Stopped: s.KeepStoppedTasks},
		SealKey: func(installation string) string {
			if s.SealKey != "" {
				return s.SealKey
			}
			return l.SealKey(installation)
		},
	}
	following, unfollow := context.WithCancel(ctx)
	var collector sync.WaitGroup
	collector.Go(func() { followGC(following) })
	defer collector.Wait()
	defer unfollow()
	srv, err := server.Open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()

	in, key := srv.Installation(), srv.Admin()
	admin := local.Admin{
		InstallationID: in.ID, Account: in.Account, Region: in.Region, Endpoint: "http://" + listener.Addr().String(),
		AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey,
	}
	if err := admin.Write(l); err != nil {
		return err
	}
	if err := claim.Say(local.Process{Version: version.Number, Ready: true, Endpoint: admin.Endpoint}); err != nil {
		return err
	}
	log.Info("serving", "endpoint", admin.Endpoint, "server", srv.ID(), "installation", in.ID, "account", in.Account, "region", in.Region, "version", version.Number)
	err = srv.Serve(ctx, listener)
	if errors.Is(err, server.ErrRestart) {
		close(restart)
		return err
	}
	log.Info("stopped", "cause", context.Cause(ctx))
	return err
}

// sameState refuses to begin a new installation where there was one: its state has
// gone, and its hosts would be another's.
func sameState(l local.Layout, external bool) error {
	if external || store.Exists(l.Server()) {
		return nil
	}
	admin, err := local.ReadAdmin(l)
	if _, gone := os.Stat(l.Admin()); errors.Is(gone, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return hint.With(fmt.Errorf("the state of installation %s is gone from %s: %s was written when it was there", admin.InstallationID, l.Server(), l.Admin()),
		"a backup brings it back: `ashore restore FILE` with the same --data-dir; `ashore down --purge` removes the rest of it, for another to begin")
}

// onlyLoopback refuses an address that other machines reach: calls are signed
// but not encrypted.
func onlyLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return hint.With(fmt.Errorf("--listen %q: %w", addr, err), "write it as address and port, such as 127.0.0.1:4700")
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return hint.With(fmt.Errorf("--listen %s is reachable from other machines, and there is no TLS yet", addr),
		"listen on a loopback address, and let an ssh tunnel or a proxy with TLS lead to it")
}

// logFlags say how much a process logs.
type logFlags struct {
	LogLevel slog.Level `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default: info)."`
}

func (f logFlags) logger(t *terminal) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: f.LogLevel}))
}
