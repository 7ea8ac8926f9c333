package fake

import (
	"context"
)

// hang is an engine that takes calls and answers none.
type hang struct {
	calls func(op, subject string) bool // those that hang; nil: all
	ended chan struct{}
}

// Hang lets the calls for which calls says so, or all if it is nil, wait for
// Resume: as with an engine whose process is stopped, or which waits for one that
// is. What was asked for is carried out then, whether its caller waited or not.
func (f *Fake) Hang(calls func(op, subject string) bool) {
	f.Resume()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hang = &hang{calls: calls, ended: make(chan struct{})}
	for s := range f.subs {
		s.wakeUp()
	}
}

// Resume ends a hang.
func (f *Fake) Resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hang != nil {
		close(f.hang.ended)
		f.hang = nil
	}
}

// whenAnswering returns what ends when a call may go on; nil: it may now.
func (f *Fake) whenAnswering(op, subject string) <-chan struct{} {
	f.mu.Lock()
	h := f.hang
	f.mu.Unlock()
	if h == nil || h.calls != nil && !h.calls(op, subject) {
		return nil
	}
	return h.ended
}

// waitAnswering waits until the engine does.
func (f *Fake) waitAnswering(ctx context.Context, op, subject string) bool {
	if over := f.whenAnswering(op, subject); over != nil {
		select {
		case <-over:
		case <-f.closing:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// callHanging carries a call out, when the engine does not hang.
func callHanging[T any](ctx context.Context, f *Fake, op, subject string, fn func(context.Context) (T, error)) (T, error) {
	over := f.whenAnswering(op, subject)
	if over == nil {
		return fn(ctx)
	}
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		select {
		case <-over:
			v, err := fn(context.WithoutCancel(ctx))
			answers <- answer{v, err}
		case <-f.closing:
		}
	}()
	var none T
	select {
	case a := <-answers:
		return a.v, a.err
	case <-f.closing:
		return none, context.Canceled
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func runHanging(ctx context.Context, f *Fake, op, subject string, fn func(context.Context) error) error {
	_, err := callHanging(ctx, f, op, subject, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
