// Package contain limits a failure to the one item that it concerns. A panic becomes an
// error. An item that fails again and again waits longer and longer, so that the other
// items go on.
//
// It is for loops over many items, such as services, orders or sessions. A panic may
// leave data changed in part. That data must belong to the one item, or the caller must
// discard it.
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

// Attrs returns the log attributes of an error. For a panic they include the stack.
func Attrs(err error) []any {
	if p := (*Panic)(nil); errors.As(err, &p) {
		return []any{"err", err, "stack", string(p.Stack)}
	}
	return []any{"err", err}
}

// Do calls f and returns its error. If f panics, the error is a *Panic.
func Do(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{v, debug.Stack()}
		}
	}()
	return f()
}

// With returns a function that calls f under Do.
func With(f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error { return Do(func() error { return f(ctx) }) }
}
