// Package ecs answers Amazon ECS's API. It has one method for each operation, with
// the SDK's signature, over the store's snapshots and transactions.
//
// A handler reads a fresh snapshot, decides, and commits one transaction. It calls no
// host and no controller: these learn of the change from the state itself. The
// placer, which is not a part of this package, carries out RunTask and StartTask.
package ecs

import (
	"log/slog"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/inflight"
)

// Config is the configuration of a Service. Store and Placer must be set.
type Config struct {
	Store  *store.Store
	Placer *placer.Placer // over the same store; it must be running for RunTask and StartTask to answer
	// Endpoint is the base URL at which hosts reach this installation. If it is
	// empty, a host gets the address at which it has reached this server.
	Endpoint string
	Log      *slog.Logger     // default: slog.Default()
	Now      func() time.Time // default: time.Now
}

// Service is the ECS API. It is safe for use by several goroutines.
type Service struct {
	store    *store.Store
	auth     *identity.Authorizer // authorizes again in transactions that write hosts' reports
	site     fleet.Site
	placer   *placer.Placer
	endpoint string
	log      *slog.Logger
	clock    func() time.Time

	registrations *inflight.Rates // rate limits of hosts
}

// New returns the API over cfg.Store.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{
		store: cfg.Store, auth: identity.NewAuthorizer(cfg.Store), placer: cfg.Placer, site: cfg.Store.Site(), endpoint: strings.TrimRight(cfg.Endpoint, "/"),
		log: cfg.Log, clock: cfg.Now,
		registrations: inflight.NewRates(registrationsPerSecond, registrationsBurst),
	}
}

// now returns the time as records store it: ECS's times have milliseconds.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }
