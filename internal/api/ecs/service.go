// Package ecs answers Amazon ECS's API: one method an operation, with the SDK's
// signature, over the store's snapshots and transactions.
//
// A handler reads a fresh snapshot, decides, and commits one transaction; it
// calls nobody else. What hosts do with it they learn from the state itself.
// RunTask and StartTask go through one placer, which places what waits together.
// Tasks for which there is no room yet get it by the provisioner.
package ecs

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/inflight"
)

// Config is what a Service needs. Store must be set.
type Config struct {
	Store *store.Store
	// Endpoint is the base URL under which hosts reach this installation. Empty
	// means: as the host that asks has reached it.
	Endpoint string
	Server   string           // names this process among an installation's servers; default: at random
	Log      *slog.Logger     // default: slog.Default()
	Now      func() time.Time // default: time.Now
	Rand     *rand.Rand       // default: seeded at random
}

// Service is the ECS API. Run must be running for RunTask and StartTask to
// answer.
type Service struct {
	store    *store.Store
	site     fleet.Site
	endpoint string
	server   string
	log      *slog.Logger
	clock    func() time.Time
	placer   *placer
	eligible eligible

	registrations *inflight.Rates // of hosts
}

// New returns the API over cfg.Store.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if cfg.Server == "" {
		cfg.Server = fleet.NewID()
	}
	s := &Service{
		store: cfg.Store, site: cfg.Store.Site(), endpoint: strings.TrimRight(cfg.Endpoint, "/"), server: cfg.Server,
		log: cfg.Log, clock: cfg.Now,
		registrations: inflight.NewRates(registrationsPerSecond, registrationsBurst),
	}
	s.placer = newPlacer(s, cfg.Rand)
	return s
}

// now is the time as records keep it: ECS's times have milliseconds.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }
