package fake

import (
	"context"
)

// hang makes the engine accept calls without answering them.
type hang struct {
	calls func(op, subject string) bool // the calls that hang; nil: all
	ended chan struct{}
}

// Hang makes the calls for which calls is true, or all if it is nil, wait for Resume. So
// does an engine whose process is stopped, or that waits for a stopped process. After
// Resume the calls are carried out, even if their callers no longer wait.
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

// whenAnswering returns a channel that closes when the call may go on. nil: it may go on
// now.
func (f *Fake) whenAnswering(op, subject string) <-chan struct{} {
	f.mu.Lock()
	h := f.hang
	f.mu.Unlock()
	if h == nil || h.calls != nil && !h.calls(op, subject) {
		return nil
	}
	return h.ended
}

// waitAnswering waits until the engine answers. It returns false if the context has ended.
func (f *Fake) waitAnswering(ctx context.Context, op, subject string) bool {
	if resumed := f.whenAnswering(op, subject); resumed != nil {
		select {
		case <-resumed:
		case <-f.closing:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// callHanging makes a call once the engine does not hang.
func callHanging[T any](ctx context.Context, f *Fake, op, subject string, fn func(context.Context) (T, error)) (T, error) {
	resumed := f.whenAnswering(op, subject)
	if resumed == nil {
		return fn(ctx)
	}
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		select {
		case <-resumed:
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
