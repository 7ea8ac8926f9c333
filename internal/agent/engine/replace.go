package engine

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// replace removes a container that was created but, as far as anyone saw, never
// started, and creates it anew. Its start may have been asked for by an agent
// that then died, and still be on its way to the engine; starting it too could
// make it run twice. Removal settles that: it fails if the container runs, and
// the engine tells of a start before it tells of the removal. It would take the
// evidence of a short run away, so a start that is under way gets settleWait to
// show first.
//
// Where the task stops, the container stays: it is the only evidence of its
// start, and one that comes late is undone by quell.
func (e *Engine) replace(h *held, name string) {
	h.mu.Lock()
	c := h.task.container(name)
	id, doubtful, stop := c.RuntimeID, c.Doubtful, h.task.Desired == acs.StatusStopped
	commit := e.save(h.task)
	h.mu.Unlock()
	if stop {
		e.dispatch(h, CreateDone{Container: name, ID: id})
		return
	}
	if err := commit(); err != nil { // the next run must know what an absence means
		e.outcome(h, CreateDone{Container: name, Err: failure(CannotCreate, err)})
		return
	}
	if id == "" {
		e.create(h, name)
		return
	}
	select {
	case <-e.feed.ready():
	case <-e.ctx.Done():
		return
	}
	s := e.feed.follow(id)
	defer e.feed.unfollow(id)
	if doubtful {
		select {
		case <-s.began:
		case <-time.After(settleWait):
		case <-e.ctx.Done():
			return
		}
	}
	started, err := e.remove(h, name, id)
	switch {
	case started:
		return
	case err != nil:
		e.outcome(h, CreateDone{Container: name, Err: failure(CannotCreate, err)})
		return
	}
	select {
	case <-s.removed:
	case <-time.After(10 * time.Second):
		s.mu.Lock()
		s.lost = true
		s.mu.Unlock()
	case <-e.ctx.Done():
		return
	}
	e.replaced(h, name, id, s)
}

// remove removes a container unless it has started, which it tells the task.
func (e *Engine) remove(h *held, name, id string) (started bool, err error) {
	ctx, cancel := context.WithTimeout(e.late, e.cfg.CreateTimeout)
	defer cancel()
	var c runtime.Container
	inspect := func(ctx context.Context) (err error) {
		c, err = e.cfg.Runtime.Inspect(ctx, id)
		return err
	}
	if err = e.ask(ctx, inspect); err == nil && c.Phase == runtime.PhaseCreated {
		err = e.ask(ctx, func(ctx context.Context) error { return e.cfg.Runtime.Remove(ctx, id, false) })
		if err == nil {
			return false, nil
		}
		if errors.Is(err, runtime.ErrRunning) {
			err = e.ask(ctx, inspect)
		}
	}
	if err != nil {
		return false, err
	}
	e.found(h, name, c)
	return true, nil
}

// replaced goes on after the removal of a container, by what was seen of it.
func (e *Engine) replaced(h *held, name, id string, s *sighting) {
	s.mu.Lock()
	started, exited, lost := s.started, s.exited, s.lost
	s.mu.Unlock()
	switch {
	case started:
		e.dispatch(h, Found{Container: name, ID: id, StartedAt: time.Now()})
		if exited != nil {
			e.dispatch(h, Exited{Container: name, Code: exited.ExitCode, At: exited.At})
		} else {
			e.dispatch(h, Gone{Container: name, At: time.Now()})
		}
		return
	case lost:
		e.outcome(h, CreateDone{Container: name, Err: failf(CannotStart, "%s", startUnknown)})
		return
	}
	h.mu.Lock()
	h.task.container(name).Doubtful = false
	stop := h.task.Desired == acs.StatusStopped
	commit := e.save(h.task)
	h.mu.Unlock()
	if stop {
		e.dispatch(h, CreateDone{Container: name})
		return
	}
	// Until that is durable, the next run takes the absence for a container that
	// may have run.
	if err := commit(); err != nil {
		e.outcome(h, CreateDone{Container: name, Err: failure(CannotCreate, err)})
		return
	}
	e.create(h, name)
}

// settleWait is how long a start that an earlier run of the agent asked for may
// take to be seen. Nothing rests on it but how a second loss, of the journal, goes.
const settleWait = 5 * time.Second

const startUnknown = "whether the container had started could not be told, so it is not started again"
