// Package contain keeps a failure to the one thing that it concerns: a panic
// becomes an error, and what fails again and again waits longer and longer, so
// that the rest goes on.
//
// It is for the loops that work on many things in turn: services, orders,
// sessions. What a panic may leave changed in part must belong to the one thing,
// or be thrown away by who contains it.
package contain

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Panic is a panic as an error.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Attrs are what a log says of an error: where it was a panic, with the stack.
func Attrs(err error) []any {
	if p := (*Panic)(nil); errors.As(err, &p) {
		return []any{"err", err, "stack", string(p.Stack)}
	}
	return []any{"err", err}
}

// Do calls f. Where f panics the error is a *Panic.
func Do(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{v, debug.Stack()}
		}
	}()
	return f()
}

// With is Do of a function with a context.
func With(f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error { return Do(func() error { return f(ctx) }) }
}
