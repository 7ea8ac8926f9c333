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
	watched, cancel := context.WithCancelCause(ctx)
	w := &watch{b: b, ctx: watched, cancel: cancel}
	w.timer = time.AfterFunc(b.limits.Ping, w.look)
	defer w.end()
	err := b.rt.Events(watched, labels, func() {
		w.begun.Store(true)
		w.timer.Reset(b.limits.EventsQuiet)
		b.works(opCreate, opStart, opStats)
		subscribed()
	}, func(ev Event) {
		w.heard.Store(true)
		if ev.Kind == EventStarted {
			b.works(opStart) // though nobody may have waited for the answer
		}
		on(ev)
	})
	if watched.Err() != nil && ctx.Err() == nil {
		return context.Cause(watched)
	}
	return err
}

// watch looks after an event stream.
type watch struct {
	b            *Bounded
	ctx          context.Context // of the stream
	cancel       context.CancelCauseFunc
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
		w.cancel(overdue("events", w.b.limits.Ping))
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
