package runtime

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Events ends a stream that does not begin within Limits.Ping. It also ends a stream that
// is silent while the engine does not answer a ping.
func (b *Bounded) Events(ctx context.Context, labels map[string]string, subscribed func(), on func(Event)) error {
	return b.watchCall(ctx, "events", b.limits.Ping, func(ctx context.Context, began, heard func()) error {
		return b.rt.Events(ctx, labels, func() {
			began()
			b.recordDone(opCreate, opStart, opStats)
			subscribed()
		}, func(ev Event) {
			heard()
			if ev.Kind == EventStarted {
				b.recordDone(opStart) // the call that started it may have timed out
			}
			on(ev)
		})
	})
}

// watchCall makes a call that may last any time. It ends the call if the call does not
// begin within limit. It also ends the call if it was silent for Limits.EventsQuiet and
// the engine does not answer a ping.
func (b *Bounded) watchCall(ctx context.Context, op string, limit time.Duration, call func(ctx context.Context, began, heard func()) error) error {
	attended, cancel := context.WithCancelCause(ctx)
	w := &callWatch{b: b, ctx: attended, cancel: cancel, late: timeoutError(op, limit)}
	w.timer = time.AfterFunc(limit, w.check)
	defer w.stop()
	err := call(attended, func() {
		w.begun.Store(true)
		w.timer.Reset(b.limits.EventsQuiet)
	}, func() { w.heard.Store(true) })
	if err != nil && attended.Err() != nil && ctx.Err() == nil {
		return context.Cause(attended)
	}
	return err
}

// callWatch watches one call.
type callWatch struct {
	b            *Bounded
	ctx          context.Context // of the call
	cancel       context.CancelCauseFunc
	late         error // the error if the call does not begin
	timer        *time.Timer
	begun, heard atomic.Bool

	mu      sync.Mutex // held while check runs
	stopped bool
}

// check checks the call and sets the timer again.
func (w *callWatch) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	if !w.begun.Load() {
		w.cancel(w.late)
		return
	}
	if !w.heard.Swap(false) {
		if err := w.b.Ping(w.ctx); errors.Is(err, ErrUnreachable) {
			w.cancel(err)
			return
		}
	}
	w.timer.Reset(w.b.limits.EventsQuiet)
}

// stop ends the watch. It waits for a check that runs.
func (w *callWatch) stop() {
	w.cancel(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}
