package engine

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

// lostStartWait is how long the engine tries to find out the result of a start that the
// runtime did not answer.
const lostStartWait = time.Minute

// startContainer starts a container and dispatches StartDone. On success the container has
// started when it returns.
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
		e.resync() // a container that should not run may use the port
	default:
		done.Err = toFailure(CannotStart, err)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, runtime.ErrUnreachable) || done.Err.Name == TimedOut {
			e.resolveLostStart(h, done, id, asked)
			return
		}
	}
	e.dispatchOutcome(h, done)
	if err == nil && e.feed.countChanges() != gaps {
		e.inspectContainer(h, name, id) // its end may be lost in the gap
	}
}

// resolveLostStart finds out the result of a start that the runtime did not answer. It
// never sends the start again, since the first may still be carried out. If the container
// has not started by now, it reports that, and prevents a later start.
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
			e.inspectContainer(h, done.Container, id) // its end may have been missed since
		}
		return
	}
	e.spawn(func() { e.preventStart(id) })
	e.dispatchOutcome(h, done)
}

// preventStart makes sure that a container that was reported as not started does not run
// later. If it has not started, preventStart removes it, so that a late start fails. If it
// runs, preventStart stops it.
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

// readEnginePorts returns the ports that the runtime chose itself, or nil if there are
// none.
func (e *Engine) readEnginePorts(h *taskHandle, name, id string) []runtime.Port {
	h.mu.Lock()
	ports := h.task.findContainer(name).Ports
	h.mu.Unlock()
	for _, p := range ports {
		if p.HostPort != 0 {
			continue
		}
		c, err := e.cfg.Runtime.Inspect(e.lateCtx, id)
		if err != nil {
			e.log.Warn("ports of a container are not known", "container", name, "err", err)
			return nil
		}
		return c.Ports
	}
	return nil
}
