package engine

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/wire/acs"
)

// resyncInterval is the mean time between two comparisons with the runtime's state. Events
// report changes at once, and a lost event is found within this time.
const resyncInterval = 5 * time.Minute

// resync compares the tasks with the runtime's state now, and then periodically. Only one
// comparison runs at a time. If one runs already, another follows it.
func (e *Engine) resync() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.resyncs.running {
		e.resyncs.again = true
		return
	}
	if e.closed {
		return
	}
	e.resyncs.running = true
	e.wg.Go(e.runResync)
}

// resyncState says whether a comparison runs and when the next is due.
type resyncState struct {
	running, again bool
	timer          *time.Timer // until the next comparison
}

// runResync compares until no further comparison is requested, then sets the timer.
func (e *Engine) runResync() {
	e.pruneTombstones()
	for more := true; more; {
		e.compareContainers(e.ctx)
		e.mu.Lock()
		more, e.resyncs.again = e.resyncs.again && !e.closed, false
		e.resyncs.running = more
		if !more && e.resyncs.timer == nil {
			e.resyncs.timer = time.AfterFunc(pace.About(resyncInterval), e.resync)
		} else if !more {
			e.resyncs.timer.Reset(pace.About(resyncInterval))
		}
		e.mu.Unlock()
	}
}

// compareContainers compares the runtime's containers with the tasks. It dispatches to a
// task what ended or vanished unseen. It stops containers that should not run.
func (e *Engine) compareContainers(ctx context.Context) {
	loc := e.readLocation()
	if loc.instance == "" || !e.recovered.Load() {
		return
	}
	list, err := e.cfg.Runtime.List(ctx, loc.labels())
	if err != nil {
		if !e.isClosing() {
			e.log.Warn("containers cannot be listed", "err", err)
		}
		return
	}
	running := map[string]bool{}
	for _, c := range list {
		running[c.ID] = c.Phase == runtime.PhaseRunning
	}
	for _, h := range e.allTasks() {
		for _, c := range h.unconfirmedContainers(running) {
			e.inspectContainer(h, c.Name, c.RuntimeID)
		}
	}
	for _, c := range list {
		switch {
		case running[c.ID] && !e.mayRun(c):
			e.stopStray(c)
		case !running[c.ID] && e.isLeftOver(c):
			e.removeLeftOver(ctx, c)
		}
	}
}

// unconfirmedContainers returns the containers that run according to the task and that a
// list of the runtime does not confirm. It also returns those with a health check, since a
// list does not contain health.
func (h *taskHandle) unconfirmedContainers(running map[string]bool) []Container {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Container
	for _, c := range h.task.Containers {
		d := h.task.findDefinition(c.Name)
		checked := d != nil && d.HealthCheckType == acs.HealthCheckDocker
		if c.Status == Running && c.doing == Idle && (!running[c.RuntimeID] || checked) {
			out = append(out, *c)
		}
	}
	return out
}

// inspectContainer inspects a container that the task knows as running, and dispatches its
// state.
func (e *Engine) inspectContainer(h *taskHandle, name, id string) {
	c, err := e.cfg.Runtime.Inspect(e.ctx, id)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		e.dispatch(h, Gone{Container: name, At: time.Now()})
	case err != nil:
		if !e.isClosing() {
			e.log.Warn("container cannot be inspected", "container", name, "err", err)
		}
	case c.Phase == runtime.PhaseExited:
		e.dispatch(h, Exited{Container: name, Code: c.ExitCode, OOM: c.OOMKilled, At: c.FinishedAt})
	case c.Health != "":
		e.dispatch(h, HealthSeen{Container: name, Health: c.Health, At: time.Now()})
	}
}

// mayRun reports whether a container with this instance's labels runs for a task. Labels
// can be copied, so the id must be that of the task's container. While the task does not
// know the id, the name must match; an empty name of c counts as a match.
func (e *Engine) mayRun(c runtime.Container) bool {
	h := e.findTask(c.Labels[LabelTask])
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	own := h.task.findContainer(c.Labels[LabelContainer])
	switch {
	case own == nil || own.Status == Stopped:
		return false
	case own.RuntimeID == c.ID:
		return true
	case own.RuntimeID == "" || own.doing == Recovering || own.doing == Replacing:
		return c.Name == "" || c.Name == ContainerName(&h.task.Payload, own.Name)
	default:
		return false
	}
}

// isLeftOver reports whether a container belongs to a task that has ended and was cleaned
// up.
func (e *Engine) isLeftOver(c runtime.Container) bool {
	arn := c.Labels[LabelTask]
	return !e.HasTask(arn) && e.hasTombstone(arn)
}

// stopStray stops a container that runs and should not. Either its task has ended, and the
// container was started again by hand, by its restart policy or by a restart of the
// runtime; or it has copied labels.
func (e *Engine) stopStray(c runtime.Container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stoppingStrays[c.ID] || e.closed {
		return
	}
	e.stoppingStrays[c.ID] = true
	e.wg.Go(func() {
		e.stopStrayNow(c.ID)
		e.mu.Lock()
		delete(e.stoppingStrays, c.ID)
		e.mu.Unlock()
	})
}

// stopStrayNow inspects a container and stops it if it still runs and should not.
func (e *Engine) stopStrayNow(id string) {
	c, err := e.cfg.Runtime.Inspect(e.ctx, id)
	switch {
	case errors.Is(err, runtime.ErrNotFound) || e.isClosing():
		return
	case err != nil: // the next comparison finds it again
		e.log.Warn("container that may have to be stopped cannot be inspected", "id", id, "err", err)
		return
	case c.Phase != runtime.PhaseRunning || e.mayRun(c):
		return
	}
	e.log.Warn("container runs though no task has it running, stopping it", "container", c.Name, "task", c.Labels[LabelTask])
	e.ensureStopped(id)
	if e.isLeftOver(c) {
		e.removeLeftOver(e.ctx, c)
	}
}

// removeLeftOver removes a container of a task that was cleaned up.
func (e *Engine) removeLeftOver(ctx context.Context, c runtime.Container) {
	e.log.Info("removing what is left of an ended task", "task", c.Labels[LabelTask], "container", c.Name)
	if err := e.cfg.Runtime.Remove(ctx, c.ID, false); err != nil && !e.isClosing() {
		e.log.Warn("left-over container cannot be removed", "container", c.Name, "err", err)
	}
}
