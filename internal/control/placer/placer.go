// Package placer launches tasks: it finds hosts for what RunTask, StartTask and the
// scheduler ask for, lets tasks wait for room, and stores the outcome in one
// transaction with what it decided on.
package placer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"
)

// spareOps keeps a round's transaction within the store's limit of comparisons
// and operations.
const spareOps = 8

// Placer places tasks: one goroutine that takes all launches that wait and
// places them together, in one transaction over one snapshot. Whoever runs
// alone never conflicts with himself.
//
// It is safe for use by several goroutines. Run must be running for launches to be
// answered.
type Placer struct {
	store    *store.Store
	site     fleet.Site
	server   string
	log      *slog.Logger
	clock    func() time.Time
	rand     *rand.Rand
	waiting  chan *order
	stopped  chan struct{}          // closed when Run has ended
	hosts    map[string]*candidates // by cluster; the goroutine's own
	eligible eligible
}

// Config is what a placer needs. Store must be set.
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
		waiting: make(chan *order, 256), stopped: make(chan struct{}), hosts: map[string]*candidates{},
	}
}

// now is the time as records keep it: ECS's times have milliseconds.
func (p *Placer) now() time.Time { return p.clock().UTC().Truncate(time.Millisecond) }

// order is a launch on its way through the placer, or tasks that wait for hosts,
// or a service's launch.
type order struct {
	*Launch               // of a service: once it is looked at
	waiting *waiting      // nil: a launch
	service *serviceOrder // nil: not of a service
	done    chan struct{}

	cluster  string
	chosen   []string // ids of the tasks that hosts were chosen for, in order
	tasks    []string // of the tasks that the order brought about, with a host or without
	failures []fleet.Failure
	err      error
}

// weight bounds the comparisons and operations that the order adds to a
// transaction.
func (o *order) weight() int {
	switch {
	case o.waiting != nil:
		return o.waiting.weight()
	case o.service != nil:
		return o.service.weight()
	}
	return o.Launch.weight()
}

// clientToken is the hash of the launch's token, if it has one.
func (o *order) clientToken() string {
	if o.waiting != nil || o.service != nil {
		return ""
	}
	return o.token
}

// errStopped refuses the launches that wait when the server stops. Their clients
// try again, with the same token.
var errStopped = errors.New("the server is stopping")

// Run places tasks until ctx ends. It can be run once.
func (p *Placer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.placeOrders(ctx) })
	g.Go(func() error { return p.provision(ctx) })
	return g.Wait()
}

func (p *Placer) placeOrders(ctx context.Context) error {
	defer close(p.stopped)
	var left []*order
	for {
		if len(left) == 0 {
			select {
			case o := <-p.waiting:
				left = append(left, o)
			case <-ctx.Done():
				return nil
			}
		}
	gather:
		for len(left) < cap(p.waiting) {
			select {
			case o := <-p.waiting:
				left = append(left, o)
			default:
				break gather
			}
		}
		var batch []*order
		batch, left = split(fair(left), p.store.MaxOps()-spareOps)
		p.round(ctx, batch)
	}
}

// fair puts the launches that a caller waits for before what controllers order:
// services of thousands of tasks keep nobody waiting. The controllers' oldest
// order goes first all the same, so that callers can't keep them waiting either.
func fair(all []*order) []*order {
	var first, launches, rest []*order
	for _, o := range all {
		switch {
		case o.waiting == nil && o.service == nil:
			launches = append(launches, o)
		case first == nil:
			first = []*order{o}
		default:
			rest = append(rest, o)
		}
	}
	return slices.Concat(first, launches, rest)
}

// split takes orders from the front while their weight is at most that of one
// transaction. Of two with the same token the second waits, so that it sees what
// the first did.
func split(all []*order, most int) (batch, left []*order) {
	weight := 0
	tokens := map[string]bool{}
	for i, o := range all {
		token := o.clientToken()
		if (i > 0 && weight+o.weight() > most) || (token != "" && tokens[token]) {
			return all[:i], all[i:]
		}
		weight += o.weight()
		tokens[token] = true
	}
	return all, nil
}

// Outcome is what became of a launch.
type Outcome struct {
	Cluster  string
	Tasks    []string // ids of its tasks, with a host or waiting for one
	Failures []fleet.Failure
}

// Place hands a launch to the placer and waits for its outcome.
func (p *Placer) Place(ctx context.Context, l *Launch) (Outcome, error) {
	l.since = p.store.Snapshot().Revision()
	o, err := p.ordered(ctx, &order{Launch: l})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{o.cluster, o.tasks, o.failures}, nil
}

func (p *Placer) ordered(ctx context.Context, o *order) (*order, error) {
	o.done = make(chan struct{})
	select {
	case p.waiting <- o:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.stopped:
		return nil, errStopped
	}
	select {
	case <-o.done:
		return o, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.stopped:
		select {
		case <-o.done:
			return o, o.err
		default:
			return nil, errStopped
		}
	}
}

// round places a batch and answers each of its orders.
func (p *Placer) round(ctx context.Context, batch []*order) {
	// The bound of one round: whoever waits has its own.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := contain.Do(func() error { return p.try(ctx, batch) })
	if err != nil && ctx.Err() == nil {
		p.log.Error("placer: a round has failed", append(contain.Attrs(err), "orders", len(batch))...)
	}
	for _, o := range batch {
		if err != nil && !store.Apart(o.err) {
			o.err = fmt.Errorf("place tasks: %w", err)
		}
		close(o.done)
	}
}

// try places a batch in one transaction. An order that panics, or that needs a
// record which can't be read, is refused with that, and the others are placed
// without it.
func (p *Placer) try(ctx context.Context, batch []*order) error {
	// A failure, too, must rest on every acknowledged write.
	if _, err := p.store.Fresh(ctx); err != nil {
		return err
	}
	var r *round
	refused, err := store.UpdateEach(ctx, p.store, batch,
		func(tx *store.Tx) error { r = newRound(p, tx); return nil },
		func(_ *store.Tx, o *order) error { r.carryOut(o); return nil })
	for _, l := range refused {
		o := l.Item
		o.chosen, o.tasks, o.failures = nil, nil, nil
		o.err = fmt.Errorf("place %s: %w", o, l.Err)
		p.log.Error("placer: an order is set aside", append(contain.Attrs(l.Err), "order", o.String())...)
	}
	return err
}

// carryOut places one order. A panic on the way may leave what the placer
// remembers of hosts changed in part, so that is forgotten.
func (r *round) carryOut(o *order) {
	whole := false
	defer func() {
		if !whole {
			clear(r.hosts)
		}
	}()
	o.cluster, o.chosen, o.tasks, o.failures, o.err = "", nil, nil, nil, nil
	switch {
	case o.waiting != nil:
		o.err = r.settle(o)
	case o.service != nil:
		o.err = r.employ(o)
	default:
		o.err = r.serve(o)
	}
	whole = true
}

// String names an order in the log.
func (o *order) String() string {
	switch {
	case o.waiting != nil:
		return fmt.Sprintf("%d tasks that wait in %s", len(o.waiting.ids), o.waiting.cluster)
	case o.service != nil:
		return fmt.Sprintf("%d tasks of the service %s in %s", o.service.Count, o.service.Service.Name, o.service.Service.Cluster)
	}
	return fmt.Sprintf("a launch of %s in %s", o.definition, aws.ToString(o.Launch.cluster))
}
