package store

import (
	"context"
	"errors"

	"github.com/ashore/ashore/internal/contain"
)

// LeftOut is an item that UpdateEach has left out of its transaction, and why.
type LeftOut[T any] struct {
	Item T
	Err  error
}

// UpdateEach runs one transaction over several items: begin, which may be nil, and
// then each of every item, anew after each conflict. An item whose function panics,
// or that needs a record which can't be read, is left out: the transaction runs
// again without it. Another error ends it as Update's function does. Where an
// error is returned, nothing is known of the items that are not left out but what
// Update says.
func UpdateEach[T any](ctx context.Context, s *Store, items []T, begin func(*Tx) error, each func(*Tx, T) error) (out []LeftOut[T], err error) {
	left := append([]T(nil), items...)
	for len(left) > 0 {
		bad, why := -1, error(nil)
		err := s.Update(ctx, func(tx *Tx) error {
			bad, why = -1, nil
			if begin != nil {
				if err := begin(tx); err != nil {
					return err
				}
				if err := tx.Err(); err != nil {
					return err
				}
			}
			for i, item := range left {
				err := contain.Do(func() error { return each(tx, item) })
				if tx.Err() != nil {
					err = tx.Err()
				}
				if Apart(err) {
					bad, why = i, err
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if bad < 0 || !Apart(err) {
			return out, err
		}
		out = append(out, LeftOut[T]{left[bad], why})
		left = append(left[:bad], left[bad+1:]...)
	}
	return out, nil
}

// Apart says whether an error concerns one thing alone, whatever else is going on:
// its function has panicked, or it needs a record that can't be read.
func Apart(err error) bool {
	return errors.As(err, new(*contain.Panic)) || errors.Is(err, ErrUnreadable)
}
