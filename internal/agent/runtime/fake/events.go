package fake

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

type subscriber struct {
	labels map[string]string
	queue  []runtime.Event
	wake   chan struct{}
	cut    bool
}

// emitLocked queues an event for each subscriber that it concerns.
func (f *Fake) emitLocked(ev runtime.Event, c *container) {
	ev.ID, ev.Labels, ev.At = c.ID, c.Labels, time.Now()
	if f.cfg.DropEvent != nil && f.cfg.DropEvent(ev) {
		return
	}
	for s := range f.subs {
		if hasLabels(c.Labels, s.labels) {
			s.queue = append(s.queue, ev)
			s.wakeUp()
		}
	}
}

func (s *subscriber) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// CutEvents breaks all event streams, like an engine's restart.
func (f *Fake) CutEvents() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		s.cut = true
		s.queue = nil
		s.wakeUp()
	}
}

// Events follows the engine's events.
func (f *Fake) Events(ctx context.Context, labels map[string]string, subscribed func(), on func(runtime.Event)) error {
	if !f.waitAnswering(ctx, "events", "") {
		return ctx.Err()
	}
	if err := f.beginCall(ctx, "events", "", 0); err != nil {
		return err
	}
	s := &subscriber{labels: labels, wake: make(chan struct{}, 1)}
	f.mu.Lock()
	f.subs[s] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.subs, s)
		f.mu.Unlock()
	}()
	subscribed()
	for {
		if !f.waitAnswering(ctx, "events", "") {
			return ctx.Err()
		}
		f.mu.Lock()
		queue, cut := s.queue, s.cut
		s.queue = nil
		f.mu.Unlock()
		for _, ev := range queue {
			on(ev)
		}
		if cut {
			return errors.New("fake: event stream cut")
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
