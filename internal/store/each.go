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

// UpdateEach applies items in their order, in as few transactions as can hold them.
// Each transaction is a call of UpdateSome. After an error the items of the earlier
// transactions are applied. For the items of the last transaction the error means what
// it means for Update. The items after those are not applied.
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

// UpdateSome applies as many items as fit into one transaction, from the first on. It
// calls begin, which may be nil, and then each for every item. After each conflict it
// calls them again. It returns the rest: the items that it did not apply. It may have
// called each for the first of them.
//
// UpdateSome leaves out an item if the item's function panics, if the item needs a
// record that can't be read, or if no transaction can hold the item. Then it runs the
// transaction again without the item. Another error ends the transaction as Update's
// function does. If each returns ErrTooLarge, its item did not fit. An error of
// UpdateSome means for the items that are not left out what it means for Update.
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
					return nil // the next transaction applies the rest
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

// IsItemError says whether an error concerns one item alone: the item's function has
// panicked, the item needs a record that can't be read, or no transaction can hold it.
func IsItemError(err error) bool {
	return errors.As(err, new(*contain.Panic)) || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrTooLarge)
}
