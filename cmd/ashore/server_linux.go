package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/control/reaper"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/logline"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/server"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/version"
)

// serverCommand runs the control plane in one process until SIGTERM.
type serverCommand struct {
	dataDir     `kong:"embed"`
	serverFlags `kong:"embed"`
	logFlags    `kong:"embed"`
	pprofFlags  `kong:"embed"`
}

func (serverCommand) Example() string {
	return "ashore server --data-dir ./data --listen 127.0.0.1:4701"
}

// restartGrace is how long a server may take to close before the process restarts.
// Everything acknowledged is on disk.
const restartGrace = 10 * time.Second

func (s *serverCommand) Run(ctx context.Context, t *terminal) error {
	if err := s.check(); err != nil {
		return err
	}
	restart := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- s.runServer(ctx, t, restart) }()
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
	return local.Restart()
}

// runServer runs one server from its start to its end. If the process should restart,
// it closes restart before it closes the server.
func (s *serverCommand) runServer(ctx context.Context, t *terminal, restart chan<- struct{}) (err error) {
	l, err := s.layout()
	if err != nil {
		return err
	}
	if err := checkLoopback(s.listen()); err != nil {
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
	is, err := thisProcess()
	if err != nil {
		return err
	}
	if err := claim.WriteProcess(is); err != nil {
		return err
	}
	listener, err := local.Listen(s.listen(), "--listen")
	if err != nil {
		return err
	}
	defer listener.Close() // Serve closes it, if it runs

	stopProfiles, err := s.pprofFlags.serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()
	log := s.logger(t, l, "server")
	if err := checkStatePresent(l, len(s.EtcdEndpoints) > 0); err != nil {
		return err
	}
	forwards, err := s.forwards()
	if err != nil {
		return err
	}
	c := server.Config{
		Dir: l.Server(), Prefix: s.EtcdPrefix, External: s.external(log), Site: fleet.Site{Account: s.Account, Region: s.Region},
		Version: version.Number, Log: log, Maintain: s.EtcdMaintain, DiskReserve: s.DiskReserve << 20, Names: s.ServedAs, Forwards: forwards,
		Limits: reaper.Limits{StoppedAge: s.KeepStopped, Stopped: s.KeepStoppedTasks},
		SealKey: func(installation string) string {
			if s.SealKey != "" {
				return s.SealKey
			}
			return l.SealKey(installation)
		},
	}
	limitMemory()
	following, unfollow := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { adjustGC(following) })
	defer beside.Wait()
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
	is.Ready, is.Endpoint = true, admin.Endpoint
	// After a restart the server must listen on the same address, even if the system
	// chose the port.
	if at := []string{"--listen", listener.Addr().String()}; !slices.Equal(is.Args[max(0, len(is.Args)-2):], at) {
		is.Args = append(is.Args, at...)
	}
	is.Unable = unableReason(srv)
	if err := claim.WriteProcess(is); err != nil {
		return err
	}
	beside.Go(func() { reportUnable(following, srv, claim, is, log) })
	log.Info("serving", "endpoint", admin.Endpoint, "server", srv.ID(), "installation", in.ID, "account", in.Account, "region", in.Region, "version", version.Number)
	err = srv.Serve(ctx, listener)
	if errors.Is(err, server.ErrRestart) {
		close(restart)
		return err
	}
	log.Info("stopped", "cause", context.Cause(ctx))
	return err
}

// thisProcess returns what a process writes about itself at its start.
func thisProcess() (local.Process, error) {
	dir, err := os.Getwd()
	return local.Process{Version: version.Number, Args: slices.Clone(os.Args[1:]), Dir: dir}, err
}

func unableReason(srv *server.Server) string {
	if err := srv.Unable(); err != nil {
		return err.Error()
	}
	return ""
}

// reportUnable keeps Unable in the pid file up to date. `ashore up` prints it.
func reportUnable(ctx context.Context, srv *server.Server, claim *local.Claim, is local.Process, log *slog.Logger) {
	for pace.Sleep(ctx, pace.About(time.Second)) == nil {
		now := unableReason(srv)
		if (now == "") == (is.Unable == "") {
			continue
		}
		is.Unable = now
		if err := claim.WriteProcess(is); err != nil {
			log.Warn("the pid file can't be written", "err", err)
		}
	}
}

// checkStatePresent refuses to begin a new installation where there was one. The old
// state is gone, and the hosts would belong to another installation.
func checkStatePresent(l local.Layout, external bool) error {
	if external || store.Exists(l.Server()) {
		return nil
	}
	admin, err := local.ReadAdmin(l)
	if _, statErr := os.Stat(l.Admin()); errors.Is(statErr, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return hint.With(fmt.Errorf("the state of installation %s is gone from %s: %s was written when it was there", admin.InstallationID, l.Server(), l.Admin()),
		"a backup brings it back: `ashore restore FILE` with the same --data-dir; `ashore down --purge` removes the rest of it, for another to begin")
}

// checkLoopback refuses an address that other machines can reach, because calls are
// signed but not encrypted.
func checkLoopback(addr string) error {
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

// logFlags sets how much a process logs.
type logFlags struct {
	LogLevel slog.Level `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default: info)."`
}

// logger returns a logger that bounds the lines of each source. If the output is the
// process's log file, it also bounds the file's size.
func (f logFlags) logger(t *terminal, l local.Layout, process string) *slog.Logger {
	w := t.err
	if out, ok := w.(*os.File); ok {
		w = local.LogWriter(l, process, out)
	}
	return slog.New(logline.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: f.LogLevel})))
}
