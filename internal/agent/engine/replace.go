package engine

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// replaceContainer removes a container that, as far as is known, never started, and
// creates it again. An earlier run of the agent may have sent its start, and the start may
// still be on its way to the runtime. A second start could make the container run twice.
// The removal decides: it fails if the container runs, and the runtime reports a start
// before it reports the removal. But the removal destroys the evidence of a short run. So
// replaceContainer first waits lateStartWait for a start that is under way.
//
// If the task is to stop, the container stays: it is the only evidence of its start. If
// a start takes effect later, stopStray stops the container.
func (e *Engine) replaceContainer(h *taskHandle, name string) {
	h.mu.Lock()
	c := h.task.findContainer(name)
	id, doubtful, stop := c.RuntimeID, c.Doubtful, h.task.Desired == acs.StatusStopped
	commit := e.saveTask(h.task)
	h.mu.Unlock()
	if stop {
		e.dispatch(h, CreateDone{Container: name, ID: id})
		return
	}
	if err := commit(); err != nil { // the next run must know what the absence of the container means
		e.dispatchOutcome(h, CreateDone{Container: name, Err: toFailure(CannotCreate, err)})
		return
	}
	if id == "" {
		e.createContainer(h, name)
		return
	}
	select {
	case <-e.feed.whenSubscribed():
	case <-e.ctx.Done():
		return
	}
	s := e.feed.watch(id)
	defer e.feed.unwatch(id)
	if doubtful {
		select {
		case <-s.began:
		case <-time.After(lateStartWait):
		case <-e.ctx.Done():
			return
		}
	}
	started, err := e.removeUnstarted(h, name, id)
	switch {
	case started:
		return
	case err != nil:
		e.dispatchOutcome(h, CreateDone{Container: name, Err: toFailure(CannotCreate, err)})
		return
	}
	select {
	case <-s.removed:
	case <-time.After(10 * time.Second):
		s.mu.Lock()
		s.incomplete = true
		s.mu.Unlock()
	case <-e.ctx.Done():
		return
	}
	e.finishReplace(h, name, id, s)
}

// removeUnstarted removes a container unless it has started. If it has started, it
// dispatches that.
func (e *Engine) removeUnstarted(h *taskHandle, name, id string) (started bool, err error) {
	ctx, cancel := context.WithTimeout(e.lateCtx, e.cfg.CreateTimeout)
	defer cancel()
	var c runtime.Container
	inspect := func(ctx context.Context) (err error) {
		c, err = e.cfg.Runtime.Inspect(ctx, id)
		return err
	}
	if err = e.retryUnreachable(ctx, inspect); err == nil && c.Phase == runtime.PhaseCreated {
		err = e.retryUnreachable(ctx, func(ctx context.Context) error { return e.cfg.Runtime.Remove(ctx, id, false) })
		if err == nil {
			return false, nil
		}
		if errors.Is(err, runtime.ErrRunning) {
			err = e.retryUnreachable(ctx, inspect)
		}
	}
	if err != nil {
		return false, err
	}
	e.dispatchFound(h, name, c)
	return true, nil
}

// finishReplace goes on after the removal of a container, depending on the events that w
// has.
func (e *Engine) finishReplace(h *taskHandle, name, id string, w *containerWatch) {
	w.mu.Lock()
	started, exited, lost := w.started, w.exited, w.incomplete
	w.mu.Unlock()
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
		e.dispatchOutcome(h, CreateDone{Container: name, Err: failf(CannotStart, "%s", startUnknown)})
		return
	}
	h.mu.Lock()
	h.task.findContainer(name).Doubtful = false
	stop := h.task.Desired == acs.StatusStopped
	commit := e.saveTask(h.task)
	h.mu.Unlock()
	if stop {
		e.dispatch(h, CreateDone{Container: name})
		return
	}
	// Until that is durable, the next run of the agent has to assume that a missing
	// container may have run.
	if err := commit(); err != nil {
		e.dispatchOutcome(h, CreateDone{Container: name, Err: toFailure(CannotCreate, err)})
		return
	}
	e.createContainer(h, name)
}

// lateStartWait is how long a start that an earlier run of the agent sent may take to
// show. It only matters if the journal is lost as well.
const lateStartWait = 5 * time.Second

const startUnknown = "whether the container had started could not be told, so it is not started again"
