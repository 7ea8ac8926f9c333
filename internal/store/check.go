package store

import "context"

type checkKey struct{}

// WithCheck returns a context in which Update and Fresh call check for each snapshot
// before they use it, and return its error. So Update's function runs only on snapshots
// that check accepts. If check and the function both decide about a record that the
// function reads by Get, both decisions are right when the transaction commits.
func WithCheck(ctx context.Context, check func(*Snapshot) error) context.Context {
	return context.WithValue(ctx, checkKey{}, check)
}

// checkOf returns the check of a context, nil if it has none.
func checkOf(ctx context.Context) func(*Snapshot) error {
	check, _ := ctx.Value(checkKey{}).(func(*Snapshot) error)
	return check
}
