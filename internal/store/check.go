package store

import "context"

type checkKey struct{}

// WithCheck returns a context with which Update and Fresh ask check about each snapshot
// before they hand it out, and return its error. Update's function then runs on no
// snapshot that check refuses: what check and the function both decide about one record
// that the function reads by Get holds when the transaction commits.
func WithCheck(ctx context.Context, check func(*Snapshot) error) context.Context {
	return context.WithValue(ctx, checkKey{}, check)
}

// checkOf is the check of a context, nil where it has none.
func checkOf(ctx context.Context) func(*Snapshot) error {
	check, _ := ctx.Value(checkKey{}).(func(*Snapshot) error)
	return check
}
