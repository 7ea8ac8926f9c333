// Package server connects the control plane's packages: etcd, store, seal, identity,
// front door, services, link. It is the only package that imports all of them, and it
// decides nothing itself.
//
// Close works in the reverse order: first the front door, so that no call is cut off,
// then the agents' connections, then the store.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/control/reaper"
	"github.com/ashore/ashore/internal/control/scheduler"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/forward"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/link"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
)

// Config is what a Server needs.
type Config struct {
	// Dir is the folder of the embedded etcd. It is not used if External is set.
	Dir      string
	External *store.ConnectConfig
	// DiskReserve is how many bytes the embedded etcd leaves free on its disk.
	DiskReserve int64
	Prefix      string // of every key in an external etcd

	Site    fleet.Site // empty members mean the stored value, or the default
	SealKey func(installation string) string
	Limits  reaper.Limits // what the reaper keeps; zero members mean the defaults
	Version string
	// Maintain also compacts and defragments an external etcd.
	Maintain bool
	Names    []string // host names for browsers, besides addresses and localhost
	// Forwards are the endpoints for calls of services that are not served here.
	Forwards []forward.Spec
	Log      *slog.Logger
}

// Server is a control plane with its state loaded, ready to serve. Its fields are
// constant after Open.
type Server struct {
	cfg       Config
	id        string          // identifies this process among an installation's servers
	embedded  *store.Embedded // nil with an external etcd
	client    *clientv3.Client
	store     *store.Store
	admin     identity.Credentials
	services  services
	door      *frontdoor.Server
	link      *link.Server
	upstreams []*forward.Upstream
	serving   atomic.Bool // between Open and Close; only then are etcd's warnings logged as warnings
}

// Open prepares everything for serving. At the first start it creates the installation
// and its administrator's key.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Server{cfg: cfg, id: fleet.NewID()}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.serving.Store(true)
	return s, nil
}

func (s *Server) open(ctx context.Context) (err error) {
	cfg := s.cfg
	if cfg.External != nil {
		if s.client, err = store.Connect(ctx, *cfg.External); err != nil {
			return err
		}
	} else {
		if s.embedded, err = store.Embed(ctx, cfg.Dir, store.WithReserve(cfg.DiskReserve), store.WithPrefix(cfg.Prefix),
			store.WithLog(slog.New(etcdLog{cfg.Log.Handler(), &s.serving}))); err != nil {
			return err
		}
		s.client = s.embedded.Client
	}
	sc := store.Config{Prefix: cfg.Prefix, Site: cfg.Site, Maintain: cfg.Maintain, Log: cfg.Log}
	if s.embedded != nil {
		sc.Sole, sc.MaxOps, sc.Room = true, store.EmbeddedOps, s.embedded.Room
	}
	s.store, err = store.Open(ctx, s.client, sc)
	if err != nil {
		return err
	}
	if r := s.store.Snapshot().Restored(); r != nil {
		cfg.Log.Warn("the state was restored from a backup: what hosts have started since runs on as unknown tasks until `ashore unknown --stop` or `--keep`", "backup_at", r.BackupAt, "restored_at", r.At)
	}
	sealer, err := seal.Open(cfg.SealKey(s.Installation().ID), identity.HasSealed(s.store.Snapshot()))
	if err != nil {
		return err
	}
	if s.admin, err = identity.EnsureAdmin(ctx, s.store, sealer); err != nil {
		return fmt.Errorf("the administrator's key: %w", err)
	}
	auth := identity.NewAuthorizer(s.store)
	if s.link, err = newLink(ctx, s.id, s.store, auth, cfg.Log); err != nil {
		return err
	}
	s.services = newServices(s.id, s.store, sealer, cfg.Version, cfg.Log)
	if s.upstreams, err = s.openUpstreams(); err != nil {
		return err
	}
	s.door, err = frontdoor.New(frontdoor.Config{
		Account: s.store.Site().Account, Region: s.store.Site().Region, Version: cfg.Version,
		Keys: identity.NewKeys(s.store, sealer), Auth: auth, Log: cfg.Log,
		Services: s.services.declared(), Names: cfg.Names, Forwards: s.upstreams,
	})
	if err != nil {
		return err
	}
	mount(s.door, s.link)
	return nil
}

// Installation returns the record that the first start wrote.
func (s *Server) Installation() store.Installation { return s.store.Installation() }

// ID identifies this process among the installation's servers. Elections and session
// records have it.
func (s *Server) ID() string { return s.id }

// Admin returns the administrator's key.
func (s *Server) Admin() identity.Credentials { return s.admin }

// ErrRestart is Serve's error if the server must restart in a new process. It could not
// write, and now it can.
var ErrRestart = errors.New("the server must be started anew")

// Unable returns why no changes are accepted at the moment, nil if they are.
func (s *Server) Unable() error { return s.store.Unable() }

// Serve serves on l until ctx ends. It returns an error if the state can't be stored
// any longer.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-s.store.Done():
			return fmt.Errorf("the store ended: %w", s.store.Err())
		}
	})
	if s.embedded != nil {
		g.Go(func() error { return s.awaitEtcd(ctx) })
	}
	// RunTask needs the placer until the last call is answered. The scheduler ends
	// before it.
	placing, stopPlacing := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return s.services.placer.Run(placing) })
	g.Go(func() error {
		r := &reaper.Reaper{Store: s.store, Server: s.id, Limits: s.cfg.limits(), Log: s.cfg.Log}
		if err := r.Run(ctx); ctx.Err() == nil {
			return fmt.Errorf("the reaper ended: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		c := &scheduler.Scheduler{Store: s.store, Server: s.id, Placer: s.services.placer, Log: s.cfg.Log}
		if err := c.Run(ctx); ctx.Err() == nil {
			return fmt.Errorf("the scheduler ended: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		defer stopPlacing()
		return s.door.Serve(ctx, l)
	})
	return g.Wait()
}

// awaitEtcd returns when the embedded etcd has ended. If the disk is the cause, the
// server answers reads until the disk can be written again.
func (s *Server) awaitEtcd(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.embedded.Err():
		return fmt.Errorf("the embedded etcd ended: %w", err)
	case <-s.embedded.Stuck():
	}
	s.cfg.Log.Error("the embedded etcd can't write", "err", s.embedded.Room(0))
	err := s.embedded.AwaitDisk(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("the embedded etcd ended: %w", err)
	}
	s.cfg.Log.Warn("the disk can be written again: the server starts anew")
	return ErrRestart
}

func (c Config) limits() reaper.Limits {
	l, d := c.Limits, reaper.Defaults
	return reaper.Limits{
		StoppedAge: cmp.Or(l.StoppedAge, d.StoppedAge), Stopped: cmp.Or(l.Stopped, d.Stopped), TokenAge: cmp.Or(l.TokenAge, d.TokenAge),
	}
}
