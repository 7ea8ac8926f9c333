package ecs

import (
	"context"
	"errors"
	"fmt"
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

// placer places tasks: one goroutine that takes all launches that wait and
// places them together, in one transaction over one snapshot. Whoever runs
// alone never conflicts with himself.
type placer struct {
	s       *Service
	rand    *rand.Rand
	waiting chan *order
	stopped chan struct{}          // closed when Run has ended
	hosts   map[string]*candidates // by cluster; the goroutine's own
}

// order is a launch on its way through the placer, or tasks that wait for hosts,
// or a service's launch.
type order struct {
	*launch                // of a service: once it is looked at
	waiting *waiting       // nil: a launch
	service *serviceLaunch // nil: not of a service
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
	return o.launch.weight()
}

// clientToken is the hash of the launch's token, if it has one.
func (o *order) clientToken() string {
	if o.waiting != nil || o.service != nil {
		return ""
	}
	return o.token
}

func newPlacer(s *Service, r *rand.Rand) *placer {
	return &placer{s: s, rand: r, waiting: make(chan *order, 256), stopped: make(chan struct{}), hosts: map[string]*candidates{}}
}

// errStopped refuses the launches that wait when the server stops. Their clients
// try again, with the same token.
var errStopped = errors.New("the server is stopping")

// Run places tasks until ctx ends. It can be run once.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.placeOrders(ctx) })
	g.Go(func() error { return s.provision(ctx) })
	return g.Wait()
}

func (s *Service) placeOrders(ctx context.Context) error {
	p := s.placer
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
		batch, left = split(fair(left), s.store.MaxOps()-spareOps)
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

// place hands a launch to the placer and waits for its outcome.
func (s *Service) place(ctx context.Context, l *launch) (*order, error) {
	l.since = s.store.Snapshot().Revision()
	return s.ordered(ctx, &order{launch: l})
}

func (s *Service) ordered(ctx context.Context, o *order) (*order, error) {
	o.done = make(chan struct{})
	select {
	case s.placer.waiting <- o:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.placer.stopped:
		return nil, errStopped
	}
	select {
	case <-o.done:
		return o, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.placer.stopped:
		select {
		case <-o.done:
			return o, o.err
		default:
			return nil, errStopped
		}
	}
}

// round places a batch and answers each of its orders.
func (p *placer) round(ctx context.Context, batch []*order) {
	// The bound of one round: whoever waits has its own.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := contain.Do(func() error { return p.try(ctx, batch) })
	if err != nil && ctx.Err() == nil {
		p.s.log.Error("placer: a round has failed", append(contain.Attrs(err), "orders", len(batch))...)
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
func (p *placer) try(ctx context.Context, batch []*order) error {
	// A failure, too, must rest on every acknowledged write.
	if _, err := p.s.store.Fresh(ctx); err != nil {
		return err
	}
	var r *round
	refused, err := store.UpdateEach(ctx, p.s.store, batch,
		func(tx *store.Tx) error { r = newRound(p, tx); return nil },
		func(_ *store.Tx, o *order) error { r.carryOut(o); return nil })
	for _, l := range refused {
		o := l.Item
		o.chosen, o.tasks, o.failures = nil, nil, nil
		o.err = fmt.Errorf("place %s: %w", o, l.Err)
		p.s.log.Error("placer: an order is set aside", append(contain.Attrs(l.Err), "order", o.String())...)
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
	return fmt.Sprintf("a launch of %s in %s", o.definition, aws.ToString(o.launch.cluster))
}
