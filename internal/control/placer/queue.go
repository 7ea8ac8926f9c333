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

// errStopped refuses the waiting launches when the server stops. Their clients try
// again, with the same token.
var errStopped = errors.New("the server is stopping")

// placeOrders is the loop of the placer's goroutine: it collects the orders that wait
// and places them, round by round.
func (p *Placer) placeOrders(ctx context.Context) error {
	defer close(p.stopped)
	var left []*pendingOrder
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
		var orders []*pendingOrder
		orders, left = p.sizes.split(orderFairly(left))
		left = append(p.placeTogether(ctx, orders), left...)
	}
}

// orderFairly puts orders with a waiting caller before those of controllers, so that
// services with thousands of tasks do not delay callers. But the controllers' oldest
// order goes first, so that callers can't delay controllers without end.
func orderFairly(all []*pendingOrder) []*pendingOrder {
	var first, launches, others []*pendingOrder
	for _, o := range all {
		switch {
		case o.hasCaller():
			launches = append(launches, o)
		case first == nil:
			first = []*pendingOrder{o}
		default:
			others = append(others, o)
		}
	}
	return slices.Concat(first, launches, others)
}

// submit sends an order to the placer's goroutine and waits until it is placed or
// refused.
func (p *Placer) submit(ctx context.Context, order order) error {
	o := &pendingOrder{order: order, done: make(chan struct{})}
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

// placeTogether places as many orders as one transaction has room for, in one round,
// and answers each of those. It returns the orders that are left.
func (p *Placer) placeTogether(ctx context.Context, orders []*pendingOrder) (left []*pendingOrder) {
	// This limits one round; each caller has a limit of its own.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := contain.Do(func() (err error) { left, err = p.tryTogether(ctx, orders); return err })
	if err != nil {
		left = nil
	}
	if err != nil && ctx.Err() == nil {
		p.log.Error("placer: a round has failed", append(contain.Attrs(err), "orders", len(orders))...)
	}
	for _, o := range orders[:len(orders)-len(left)] {
		if err != nil && !store.IsItemError(o.err) {
			o.err = fmt.Errorf("place tasks: %w", err)
		}
		close(o.done)
	}
	return left
}

// tryTogether places as many orders as one transaction has room for, and returns the
// orders that are left. An order that panics, or that needs an unreadable record, is
// refused with that error, and the others are placed without it.
func (p *Placer) tryTogether(ctx context.Context, orders []*pendingOrder) (left []*pendingOrder, err error) {
	// A refusal must take every acknowledged write into account, too.
	if _, err := p.store.Fresh(ctx); err != nil {
		return nil, err
	}
	var r *round
	left, refused, err := store.UpdateSome(ctx, p.store, orders,
		func(tx *store.Tx) error { r = newRound(p, tx); return nil },
		func(tx *store.Tx, o *pendingOrder) error {
			before := tx.Share()
			r.orders++
			r.place(o)
			if errors.Is(o.err, store.ErrTooLarge) {
				return o.err
			}
			p.sizes.record(o, tx.Share()-before)
			return nil
		})
	for _, l := range refused {
		o := l.Item
		o.reset()
		o.err = fmt.Errorf("place %s: %w", o, l.Err)
		p.log.Error("placer: an order is set aside", append(contain.Attrs(l.Err), "order", o.String())...)
	}
	return left, err
}
