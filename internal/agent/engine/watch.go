package engine

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

// eventFeed distributes the runtime's events to goroutines that each watch one container.
type eventFeed struct {
	mu      sync.Mutex
	up      chan struct{} // closed while subscribed
	open    bool
	changes int // how often the stream ended or began
	watches map[string]*containerWatch
}

// containerWatch is what was seen of a container since the watch began.
type containerWatch struct {
	mu         sync.Mutex
	began      chan struct{} // closed when it starts
	started    bool
	exited     *runtime.Event
	incomplete bool // the stream ended: events may have been missed
	removed    chan struct{}
	once       sync.Once
}

func newEventFeed() *eventFeed {
	return &eventFeed{up: make(chan struct{}), watches: map[string]*containerWatch{}}
}

func (f *eventFeed) markSubscribed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		f.changes++
		f.open = true
		close(f.up)
	}
}

func (f *eventFeed) markBroken() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		f.open = false
		f.up = make(chan struct{})
	}
	f.changes++
	for _, s := range f.watches {
		s.mu.Lock()
		s.incomplete = true
		s.mu.Unlock()
		s.once.Do(func() { close(s.removed) })
	}
}

// countChanges returns how many times the stream has begun or ended. If it did not change,
// there was no gap.
func (f *eventFeed) countChanges() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes
}

// whenSubscribed returns a channel that is closed while the stream is up.
func (f *eventFeed) whenSubscribed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.up
}

func (f *eventFeed) watch(id string) *containerWatch {
	s := &containerWatch{began: make(chan struct{}), removed: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.incomplete = !f.open
	f.watches[id] = s
	return s
}

func (f *eventFeed) unwatch(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watches, id)
}

func (f *eventFeed) deliver(ev runtime.Event) {
	f.mu.Lock()
	s := f.watches[ev.ID]
	f.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch ev.Kind {
	case runtime.EventStarted:
		if !s.started {
			s.started = true
			close(s.began)
		}
	case runtime.EventExited:
		s.exited = &ev
	case runtime.EventRemoved:
		s.once.Do(func() { close(s.removed) })
	}
}

// followEvents subscribes to the runtime's events until the engine closes. After each gap
// it compares all tasks with the runtime, to find what the gap hid.
func (e *Engine) followEvents() {
	labels := map[string]string{LabelInstallation: e.cfg.InstallationID}
	var downSince time.Time // since when the stream is down; zero while it is up
	reported := false       // that the runtime is away
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		began := time.Now()
		err := e.cfg.Runtime.Events(e.ctx, labels, func() {
			e.feed.markSubscribed()
			if downSince.IsZero() {
				return
			}
			e.log.Info("engine's events are back", "after", time.Since(downSince).Round(time.Millisecond))
			e.resync()
			if downSince = (time.Time{}); reported {
				reported = false
				e.cfg.OnEngine()
			}
		}, e.handleEvent)
		e.feed.markBroken()
		if e.isClosing() {
			return
		}
		if time.Since(began) > time.Minute {
			delay = 50 * time.Millisecond
		}
		switch now := time.Now(); {
		case downSince.IsZero():
			downSince = now
			e.log.Warn("engine's events lost, subscribing again", "err", err)
		case !reported && now.Sub(downSince) >= e.cfg.EngineAway:
			reported = true
			e.log.Error("container engine does not answer", "since", downSince, "err", err)
			e.cfg.OnEngine()
		}
		if time.Since(downSince) >= e.cfg.CreateTimeout {
			// A call that hangs must not make the other calls wait for a turn.
			e.limit.failWaiting(&runtime.Error{Kind: runtime.ErrUnreachable, Err: fmt.Errorf("the container engine has not answered for %s", time.Since(downSince).Round(time.Second))})
		}
		if pace.Sleep(e.ctx, pace.Nearly(delay)) != nil {
			return
		}
	}
}

// handleEvent turns the runtime's event into a task's event.
func (e *Engine) handleEvent(ev runtime.Event) {
	e.feed.deliver(ev)
	if ev.Kind == runtime.EventStarted {
		e.stopIfStray(ev)
		return
	}
	name := ev.Labels[LabelContainer]
	h := e.findTask(ev.Labels[LabelTask])
	if h == nil || name == "" {
		return
	}
	h.mu.Lock()
	c := h.task.findContainer(name)
	isOwn := c != nil && c.RuntimeID == ev.ID && c.doing != Replacing
	h.mu.Unlock()
	if !isOwn {
		return
	}
	switch ev.Kind {
	case runtime.EventExited:
		if ev.ExitCode == 137 { // killed: by us, by a user, or for lack of memory
			e.spawn(func() { e.dispatchKilled(h, name, ev) })
			return
		}
		e.dispatch(h, Exited{Container: name, Code: ev.ExitCode, At: ev.At})
	case runtime.EventOOM:
		e.dispatch(h, OutOfMemory{Container: name, At: ev.At})
	case runtime.EventHealth:
		e.dispatch(h, HealthSeen{Container: name, Health: ev.Health, At: ev.At})
	case runtime.EventRemoved:
		e.dispatch(h, Gone{Container: name, At: ev.At})
	}
}

// stopIfStray stops a container that was started and should not run. Before the recovery
// is complete, the engine can't decide that.
func (e *Engine) stopIfStray(ev runtime.Event) {
	c := runtime.Container{ID: ev.ID, Labels: ev.Labels}
	if e.recovered.Load() && c.Labels[LabelInstance] == e.readLocation().instance && !e.mayRun(c) {
		e.stopStray(c)
	}
}

// dispatchKilled dispatches the end of a killed container, after it has asked the runtime
// whether lack of memory was the cause.
func (e *Engine) dispatchKilled(h *taskHandle, name string, ev runtime.Event) {
	c, err := e.cfg.Runtime.Inspect(e.lateCtx, ev.ID)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		e.log.Warn("killed container cannot be inspected", "container", name, "err", err)
	}
	e.dispatch(h, Exited{Container: name, Code: ev.ExitCode, OOM: err == nil && c.OOMKilled, At: ev.At})
	// The container may have been started again before its end was known here.
	if c := (runtime.Container{ID: ev.ID, Labels: ev.Labels}); !e.mayRun(c) {
		e.stopStray(c)
	}
}
