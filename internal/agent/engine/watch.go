package engine

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

// feed lets a goroutine follow one container's events.
type feed struct {
	mu      sync.Mutex
	up      chan struct{} // closed while subscribed
	open    bool
	changes int // how often the stream broke or began
	watch   map[string]*sighting
}

// sighting is what was seen of a container since one began to look.
type sighting struct {
	mu      sync.Mutex
	began   chan struct{} // closed when it starts
	started bool
	exited  *runtime.Event
	lost    bool // the stream broke: something may have been missed
	removed chan struct{}
	once    sync.Once
}

func newFeed() *feed { return &feed{up: make(chan struct{}), watch: map[string]*sighting{}} }

func (f *feed) subscribed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		f.changes++
		f.open = true
		close(f.up)
	}
}

func (f *feed) broke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		f.open = false
		f.up = make(chan struct{})
	}
	f.changes++
	for _, s := range f.watch {
		s.mu.Lock()
		s.lost = true
		s.mu.Unlock()
		s.once.Do(func() { close(s.removed) })
	}
}

// gaps counts the beginnings and ends of gaps in the stream so far.
func (f *feed) gaps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes
}

// ready is closed while the stream is up.
func (f *feed) ready() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.up
}

func (f *feed) follow(id string) *sighting {
	s := &sighting{began: make(chan struct{}), removed: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.lost = !f.open
	f.watch[id] = s
	return s
}

func (f *feed) unfollow(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watch, id)
}

func (f *feed) see(ev runtime.Event) {
	f.mu.Lock()
	s := f.watch[ev.ID]
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

// follow keeps the engine's event stream up until the engine closes. After each
// gap all that runs is looked at, for what the gap hid.
func (e *Engine) follow() {
	labels := map[string]string{LabelInstallation: e.cfg.InstallationID}
	var lost time.Time // the stream, since when; zero while it is up
	told := false      // that it is lost
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		began := time.Now()
		err := e.cfg.Runtime.Events(e.ctx, labels, func() {
			e.feed.subscribed()
			if lost.IsZero() {
				return
			}
			e.log.Info("engine's events are back", "after", time.Since(lost).Round(time.Millisecond))
			e.resync()
			if lost = (time.Time{}); told {
				told = false
				e.cfg.OnEngine()
			}
		}, e.observe)
		e.feed.broke()
		if e.closing() {
			return
		}
		if time.Since(began) > time.Minute {
			delay = 50 * time.Millisecond
		}
		switch now := time.Now(); {
		case lost.IsZero():
			lost = now
			e.log.Warn("engine's events lost, subscribing again", "err", err)
		case !told && now.Sub(lost) >= e.cfg.EngineAway:
			told = true
			e.log.Error("container engine does not answer", "since", lost, "err", err)
			e.cfg.OnEngine()
		}
		if time.Since(lost) >= e.cfg.CreateTimeout {
			// What it holds up does not let others have their turn.
			e.limit.dismiss(&runtime.Error{Kind: runtime.ErrUnreachable, Err: fmt.Errorf("the container engine has not answered for %s", time.Since(lost).Round(time.Second))})
		}
		if pace.Sleep(e.ctx, pace.Nearly(delay)) != nil {
			return
		}
	}
}

// observe turns an engine's event into a task's.
func (e *Engine) observe(ev runtime.Event) {
	e.feed.see(ev)
	if ev.Kind == runtime.EventStarted {
		e.appeared(ev)
		return
	}
	name := ev.Labels[LabelContainer]
	h := e.held(ev.Labels[LabelTask])
	if h == nil || name == "" {
		return
	}
	h.mu.Lock()
	c := h.task.container(name)
	mine := c != nil && c.RuntimeID == ev.ID && c.doing != Replacing
	h.mu.Unlock()
	if !mine {
		return
	}
	switch ev.Kind {
	case runtime.EventExited:
		if ev.ExitCode == 137 { // killed: by us, by someone, or for its memory
			e.spawn(func() { e.ended(h, name, ev) })
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

// appeared stops what was started and should not run. Before the agent has taken
// up all that it left, it can't tell.
func (e *Engine) appeared(ev runtime.Event) {
	c := runtime.Container{ID: ev.ID, Labels: ev.Labels}
	if e.recovered.Load() && c.Labels[LabelInstance] == e.here().instance && !e.mayRun(c) {
		e.quell(c)
	}
}

// ended asks why a killed container was killed.
func (e *Engine) ended(h *held, name string, ev runtime.Event) {
	c, err := e.cfg.Runtime.Inspect(e.late, ev.ID)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		e.log.Warn("killed container cannot be inspected", "container", name, "err", err)
	}
	e.dispatch(h, Exited{Container: name, Code: ev.ExitCode, OOM: err == nil && c.OOMKilled, At: ev.At})
	// It may have been started again before its end was known here.
	if c := (runtime.Container{ID: ev.ID, Labels: ev.Labels}); !e.mayRun(c) {
		e.quell(c)
	}
}
