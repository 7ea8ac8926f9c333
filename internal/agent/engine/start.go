package engine

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

// lostStartWait is how long an engine is asked what became of a start that it did
// not answer.
const lostStartWait = time.Minute

// startContainer starts a container; on success it has started when this returns.
func (e *Engine) startContainer(h *taskHandle, name string) {
	h.mu.Lock()
	id := h.task.findContainer(name).RuntimeID
	h.mu.Unlock()
	asked, gaps := time.Now(), e.feed.countChanges()
	err := e.callLimited(e.cfg.StartTimeout, startClass, "running", func(ctx context.Context) error {
		return e.cfg.Runtime.Start(ctx, id)
	})
	done := StartDone{Container: name, At: time.Now()}
	switch {
	case err == nil:
		done.Ports = e.readEnginePorts(h, name, id)
	case errors.Is(err, runtime.ErrPortTaken):
		done.PortTaken = true
		done.Err = toFailure(CannotStart, err)
		e.releaseDynamicPorts(h, name)
		e.resync() // a container that should not run may hold it
	default:
		done.Err = toFailure(CannotStart, err)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, runtime.ErrUnreachable) || done.Err.Name == TimedOut {
			e.resolveLostStart(h, done, id, asked)
			return
		}
	}
	e.dispatchOutcome(h, done)
	if err == nil && e.feed.countChanges() != gaps {
		e.inspectContainer(h, name, id) // its end may have fallen into the gap
	}
}

// resolveLostStart finds out what became of a start that the engine did not answer. The
// start is never asked for again: it may still be carried out. What has not
// started by now is reported so, and is kept from it.
func (e *Engine) resolveLostStart(h *taskHandle, done StartDone, id string, asked time.Time) {
	ctx, cancel := context.WithTimeout(e.ctx, lostStartWait)
	defer cancel()
	h.mu.Lock()
	first := h.task.findContainer(done.Container).Status < Running
	h.mu.Unlock()
	var c runtime.Container
	err := e.retryUnreachable(ctx, func(ctx context.Context) (err error) {
		c, err = e.cfg.Runtime.Inspect(ctx, id)
		return err
	})
	ended := c.Phase == runtime.PhaseExited && (first || !c.StartedAt.Before(asked))
	if err == nil && (c.Phase == runtime.PhaseRunning || ended) {
		done.Err, done.At, done.Ports = nil, c.StartedAt, c.Ports
		e.dispatchOutcome(h, done)
		if ended {
			e.dispatch(h, Exited{Container: done.Container, Code: c.ExitCode, OOM: c.OOMKilled, At: c.FinishedAt})
		} else {
			e.inspectContainer(h, done.Container, id) // nobody may have told of its end since
		}
		return
	}
	e.spawn(func() { e.preventStart(id) })
	e.dispatchOutcome(h, done)
}

// preventStart sees to it that a container that was reported as not started does not
// run, whenever its start is carried out: one that has not run is removed, which
// leaves the start nothing, and one that runs is stopped.
func (e *Engine) preventStart(id string) {
	for delay := lateStartWait; pace.Sleep(e.ctx, delay) == nil; delay = min(2*delay, time.Minute) {
		c, err := e.cfg.Runtime.Inspect(e.ctx, id)
		if err == nil && c.Phase == runtime.PhaseCreated {
			err = e.cfg.Runtime.Remove(e.ctx, id, false)
		}
		switch {
		case err == nil && c.Phase == runtime.PhaseRunning, errors.Is(err, runtime.ErrRunning):
			e.ensureStopped(id)
			return
		case err == nil, errors.Is(err, runtime.ErrNotFound):
			return
		}
	}
}

// readEnginePorts asks for ports that the engine chose itself, if there are any.
func (e *Engine) readEnginePorts(h *taskHandle, name, id string) []runtime.Port {
	h.mu.Lock()
	ports := h.task.findContainer(name).Ports
	h.mu.Unlock()
	for _, p := range ports {
		if p.HostPort != 0 {
			continue
		}
		c, err := e.cfg.Runtime.Inspect(e.late, id)
		if err != nil {
			e.log.Warn("ports of a container are not known", "container", name, "err", err)
			return nil
		}
		return c.Ports
	}
	return nil
}
