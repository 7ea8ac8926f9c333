package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/ashore/ashore/internal/contain"
)

// LeftOut is an item that UpdateSome has left out of its transaction, and why.
type LeftOut[T any] struct {
	Item T
	Err  error
}

// UpdateEach carries items out in their order, in as few transactions as hold them.
// Each is one of UpdateSome. Where an error is returned, the items of the transactions
// before are carried out, and of the others is known what Update says.
func UpdateEach[T any](ctx context.Context, s *Store, items []T, begin func(*Tx) error, each func(*Tx, T) error) (out []LeftOut[T], err error) {
	for len(items) > 0 {
		rest, left, err := UpdateSome(ctx, s, items, begin, each)
		out = append(out, left...)
		if err != nil {
			return out, err
		}
		items = rest
	}
	return out, nil
}

// UpdateSome runs one transaction over as many items, from the first on, as fit into
// one: begin, which may be nil, and then each of every item, anew after each conflict.
// It returns the rest, of which nothing is carried out; each may have been called with
// the first of them.
//
// An item whose function panics, that needs a record which can't be read, or that no
// transaction can hold, is left out: the transaction runs again without it. Another
// error ends it as Update's function does. Where each returns ErrTooLarge, its item did
// not fit. Where UpdateSome returns an error, all that is known of the items that are
// not left out is what Update says of it.
func UpdateSome[T any](ctx context.Context, s *Store, items []T, begin func(*Tx) error, each func(*Tx, T) error) (rest []T, out []LeftOut[T], err error) {
	left := append([]T(nil), items...)
	for len(left) > 0 {
		n, bad, why := 0, false, error(nil) // item n is bad
		err := s.Update(ctx, func(tx *Tx) error {
			n, bad = 0, false
			if begin != nil {
				if err := begin(tx); err != nil {
					return err
				}
				if err := tx.Err(); err != nil {
					return err
				}
			}
			if !tx.fits() {
				return ErrTooLarge
			}
			for n = range left {
				item := left[n]
				fits, err := tx.Try(func() error {
					err := contain.Do(func() error { return each(tx, item) })
					if tx.Err() != nil {
						err = tx.Err()
					}
					return err
				})
				if err == nil && !fits {
					err = fmt.Errorf("%w, by itself", ErrTooLarge)
				}
				switch {
				case err == nil:
					continue
				case n > 0 && errors.Is(err, ErrTooLarge):
					return nil // the rest comes later
				}
				if IsItemError(err) {
					bad, why = true, err
				}
				return err
			}
			n = len(left)
			return nil
		})
		switch {
		case err == nil && !bad:
			return left[n:], out, nil
		case !bad || !IsItemError(err):
			return left, out, err
		}
		out = append(out, LeftOut[T]{left[n], why})
		left = append(left[:n], left[n+1:]...)
	}
	return nil, out, nil
}

// IsItemError says whether an error concerns one thing alone, whatever else is going on:
// its function has panicked, it needs a record that can't be read, or no transaction
// can hold it.
func IsItemError(err error) bool {
	return errors.As(err, new(*contain.Panic)) || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrTooLarge)
}
