// Package placer launches tasks: it finds hosts for what RunTask, StartTask and the
// scheduler ask for, lets tasks wait for room, and stores the outcome in one
// transaction with what it decided on.
package placer

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"golang.org/x/sync/errgroup"
)

// Placer places tasks. One goroutine takes all orders that wait and places them
// together, in one transaction over one snapshot. As it is alone, it never conflicts
// with itself.
//
// Placer is safe for use by several goroutines. Launches are answered only while Run
// is running.
type Placer struct {
	store    *store.Store
	site     fleet.Site
	server   string
	log      *slog.Logger
	clock    func() time.Time
	rand     *rand.Rand
	orders   chan *pendingOrder
	stopped  chan struct{}          // closed when Run has ended
	hosts    map[string]*candidates // by cluster; only Run's goroutine uses it
	sizes    sizes                  // only Run's goroutine uses it
	eligible eligibleCache
}

// Config is the configuration of a placer. Store must be set.
type Config struct {
	Store  *store.Store
	Server string           // names this process among an installation's servers; default: at random
	Log    *slog.Logger     // default: slog.Default()
	Now    func() time.Time // default: time.Now
	Rand   *rand.Rand       // default: seeded at random
}

// New returns a placer over cfg.Store.
func New(cfg Config) *Placer {
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
	return &Placer{
		store: cfg.Store, site: cfg.Store.Site(), server: cfg.Server, log: cfg.Log, clock: cfg.Now, rand: cfg.Rand,
		orders: make(chan *pendingOrder, 256), stopped: make(chan struct{}), hosts: map[string]*candidates{},
	}
}

// now returns the time as records store it: ECS's times have milliseconds.
func (p *Placer) now() time.Time { return p.clock().UTC().Truncate(time.Millisecond) }

// Run places tasks until ctx ends. Call it once.
func (p *Placer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.placeOrders(ctx) })
	g.Go(func() error { return p.runProvisioner(ctx) })
	return g.Wait()
}

// Outcome is the result of a launch.
type Outcome struct {
	Cluster  string
	Tasks    []string // ids of its tasks, with a host or waiting for one
	Failures []fleet.Failure
}

// Place submits a launch to the placer and waits for its outcome.
func (p *Placer) Place(ctx context.Context, l *Launch) (Outcome, error) {
	o := &launchOrder{Launch: l, since: p.store.Snapshot().Revision()}
	if err := p.submit(ctx, o); err != nil {
		return Outcome{}, err
	}
	return o.outcome, nil
}

// LaunchService places as many of a service's tasks as there is room for.
func (p *Placer) LaunchService(ctx context.Context, l ServiceLaunch) (Launched, error) {
	o := &serviceOrder{ServiceLaunch: l}
	if err := p.submit(ctx, o); err != nil {
		return Launched{}, err
	}
	return o.launched, nil
}
