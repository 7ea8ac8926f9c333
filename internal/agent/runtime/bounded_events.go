package runtime

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Events ends a stream that does not begin within Limits.Ping, and one of an
// engine that is silent and does not answer a ping.
func (b *Bounded) Events(ctx context.Context, labels map[string]string, subscribed func(), on func(Event)) error {
	return b.attended(ctx, "events", b.limits.Ping, func(ctx context.Context, began, heard func()) error {
		return b.rt.Events(ctx, labels, func() {
			began()
			b.works(opCreate, opStart, opStats)
			subscribed()
		}, func(ev Event) {
			heard()
			if ev.Kind == EventStarted {
				b.works(opStart) // though nobody may have waited for the answer
			}
			on(ev)
		})
	})
}

// attended makes a call that goes on for as long as it likes. It ends the call if
// it has not begun within limit, and if it has not heard anything for a while from
// an engine that does not answer a ping.
func (b *Bounded) attended(ctx context.Context, op string, limit time.Duration, call func(ctx context.Context, began, heard func()) error) error {
	attended, cancel := context.WithCancelCause(ctx)
	w := &watch{b: b, ctx: attended, cancel: cancel, late: overdue(op, limit)}
	w.timer = time.AfterFunc(limit, w.look)
	defer w.end()
	err := call(attended, func() {
		w.begun.Store(true)
		w.timer.Reset(b.limits.EventsQuiet)
	}, func() { w.heard.Store(true) })
	if err != nil && attended.Err() != nil && ctx.Err() == nil {
		return context.Cause(attended)
	}
	return err
}

// watch looks after a call.
type watch struct {
	b            *Bounded
	ctx          context.Context // of the call
	cancel       context.CancelCauseFunc
	late         error // if it does not begin
	timer        *time.Timer
	begun, heard atomic.Bool

	mu   sync.Mutex // held while it looks
	over bool
}

// look is called by the timer, and sets it again.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
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

// end waits for a look that is under way.
func (w *watch) end() {
	w.cancel(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}
