package placer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/store"
)

// spareOps keeps a round's transaction within the store's limit of comparisons
// and operations.
const spareOps = 8

// errStopped refuses the launches that wait when the server stops. Their clients
// try again, with the same token.
var errStopped = errors.New("the server is stopping")

// placeOrders is the placer's goroutine: it gathers what waits and places it, round by
// round.
func (p *Placer) placeOrders(ctx context.Context) error {
	defer close(p.stopped)
	var left []*pending
	for {
		if len(left) == 0 {
			select {
			case o := <-p.orders:
				left = append(left, o)
			case <-ctx.Done():
				return nil
			}
		}
	gather:
		for len(left) < cap(p.orders) {
			select {
			case o := <-p.orders:
				left = append(left, o)
			default:
				break gather
			}
		}
		var orders []*pending
		orders, left = split(fair(left), p.store.MaxOps()-spareOps)
		p.placeTogether(ctx, orders)
	}
}

// fair puts the launches that a caller waits for before what controllers order:
// services of thousands of tasks keep nobody waiting. The controllers' oldest
// order goes first all the same, so that callers can't keep them waiting either.
func fair(all []*pending) []*pending {
	var first, launches, rest []*pending
	for _, o := range all {
		switch {
		case o.called():
			launches = append(launches, o)
		case first == nil:
			first = []*pending{o}
		default:
			rest = append(rest, o)
		}
	}
	return slices.Concat(first, launches, rest)
}

// split takes orders from the front while their weight is at most that of one
// transaction. Of two with the same token the second waits, so that it sees what
// the first did.
func split(all []*pending, most int) (orders, left []*pending) {
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

// submit hands an order to the placer's goroutine and waits until it is placed or
// refused.
func (p *Placer) submit(ctx context.Context, what order) error {
	o := &pending{order: what, done: make(chan struct{})}
	select {
	case p.orders <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped:
		return errStopped
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped:
		select {
		case <-o.done:
			return o.err
		default:
			return errStopped
		}
	}
}

// placeTogether places orders in one round and answers each.
func (p *Placer) placeTogether(ctx context.Context, orders []*pending) {
	// The bound of one round: whoever waits has its own.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := contain.Do(func() error { return p.tryTogether(ctx, orders) })
	if err != nil && ctx.Err() == nil {
		p.log.Error("placer: a round has failed", append(contain.Attrs(err), "orders", len(orders))...)
	}
	for _, o := range orders {
		if err != nil && !store.Apart(o.err) {
			o.err = fmt.Errorf("place tasks: %w", err)
		}
		close(o.done)
	}
}

// tryTogether places orders in one transaction. An order that panics, or that needs
// a record which can't be read, is refused with that, and the others are placed
// without it.
func (p *Placer) tryTogether(ctx context.Context, orders []*pending) error {
	// A failure, too, must rest on every acknowledged write.
	if _, err := p.store.Fresh(ctx); err != nil {
		return err
	}
	var r *round
	refused, err := store.UpdateEach(ctx, p.store, orders,
		func(tx *store.Tx) error { r = newRound(p, tx); return nil },
		func(_ *store.Tx, o *pending) error { r.place(o); return nil })
	for _, l := range refused {
		o := l.Item
		o.reset()
		o.err = fmt.Errorf("place %s: %w", o, l.Err)
		p.log.Error("placer: an order is set aside", append(contain.Attrs(l.Err), "order", o.String())...)
	}
	return err
}
