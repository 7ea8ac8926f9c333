package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/wire/acs"
)

// perform begins to carry out an action.
func (e *Engine) perform(h *taskHandle, a Action) {
	switch a := a.(type) {
	case Notify:
		e.cfg.OnReport(h.task.Payload.Arn)
	case After:
		e.runAfter(time.Until(a.At), func() { e.dispatch(h, Tick{}) })
	case CancelPull:
		h.mu.Lock()
		if cancel := h.cancelPulls[a.Container]; cancel != nil {
			cancel()
		}
		h.mu.Unlock()
	case Finish:
		e.finishTask(h)
	case Provision:
		missing := e.missingResources(h)
		if len(missing) == 0 {
			e.dispatch(h, Provisioned{})
			return
		}
		e.spawn(func() { e.provisionResources(h, missing) })
	case Pull:
		ctx, cancel := context.WithCancel(e.ctx)
		h.mu.Lock()
		if h.cancelPulls == nil {
			h.cancelPulls = map[string]context.CancelFunc{}
		}
		h.cancelPulls[a.Container] = cancel
		h.mu.Unlock()
		e.spawn(func() {
			done := e.ensureImage(ctx, a.Container, h.task.findDefinition(a.Container).Image, func(at time.Time) {
				e.dispatch(h, PullBegun{Container: a.Container, At: at})
			})
			h.endPull(a.Container)
			e.dispatchOutcome(h, done)
		})
	case Create:
		e.spawn(func() { e.createContainer(h, a.Container) })
	case Replace:
		e.spawn(func() { e.replaceContainer(h, a.Container) })
	case Start:
		e.spawn(func() { e.startContainer(h, a.Container) })
	case Restart:
		e.spawn(func() { e.startContainer(h, a.Container) })
	case Stop:
		e.spawn(func() { e.stopContainer(h, a.Container) })
	}
}

// endPull releases the context of a container's pull.
func (h *taskHandle) endPull(container string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancelPulls[container]()
	if delete(h.cancelPulls, container); len(h.cancelPulls) == 0 {
		h.cancelPulls = nil // most tasks never pull again
	}
}

// dispatchOutcome dispatches the outcome of an action. While the engine closes, it ignores
// failures: the close itself is their likely cause. The journal then has the state from
// before the action, and the next run of the agent finds out the outcome.
func (e *Engine) dispatchOutcome(h *taskHandle, ev Event) {
	if e.isClosing() {
		switch ev := ev.(type) {
		case Provisioned:
			if ev.Err != nil {
				return
			}
		case PullDone:
			if ev.Err != nil || ev.Note != "" {
				return
			}
		case CreateDone:
			if ev.Err != nil {
				return
			}
		case StartDone:
			if ev.Err != nil {
				return
			}
		}
	}
	e.dispatch(h, ev)
}

// createContainer creates a container and dispatches CreateDone.
func (e *Engine) createContainer(h *taskHandle, name string) {
	t := h.task
	d := t.findDefinition(name)
	ports, err := e.choosePorts(&t.Payload, d)
	if err != nil {
		e.dispatchOutcome(h, CreateDone{Container: name, Err: toFailure(CannotCreate, err)})
		return
	}
	h.mu.Lock()
	setsRegion := t.findContainer(name).ImageSetsRegion
	h.mu.Unlock()
	s, fail := buildSpec(&t.Payload, d, e.readLocation(), ports, setsRegion)
	for _, r := range e.resources {
		if fail == nil {
			fail = r.Apply(&t.Payload, d, h.resourceRecord(r.Name()).Value, &s)
		}
	}
	if fail != nil {
		e.dispatchOutcome(h, CreateDone{Container: name, Err: fail})
		return
	}
	if s.StopTimeout == 0 && e.cfg.StopTimeout != DefaultStopTimeout {
		s.StopTimeout = e.cfg.StopTimeout
	}
	var created runtime.Created
	var holder runtime.Container // the container that already has the name
	durable := func() error { return nil }
	callErr := e.callLimited(e.cfg.CreateTimeout, createClass, "created", func(ctx context.Context) (err error) {
		durable = e.journalStart(h, name) // synced while the runtime creates the container
		created, err = e.cfg.Runtime.Create(ctx, s)
		if errors.Is(err, runtime.ErrNameTaken) {
			holder, err = e.findNameOwner(ctx, s.Name, err)
		}
		return err
	})
	if err := durable(); err != nil {
		callErr = fmt.Errorf("%w: %w", errNotJournaled, err)
	}
	switch {
	case callErr == nil:
		e.dispatchOutcome(h, CreateDone{Container: name, ID: created.ID, Ports: created.Ports})
	case errors.Is(callErr, runtime.ErrNameTaken):
		e.adoptContainer(h, name, holder, callErr)
	case errors.Is(callErr, runtime.ErrConfig):
		e.dispatchOutcome(h, CreateDone{Container: name, Err: toFailure(ClientConfig, callErr)})
	default:
		e.dispatchOutcome(h, CreateDone{Container: name, Err: toFailure(CannotCreate, callErr)})
	}
}

var errNotJournaled = errors.New("its start can't be journaled")

// journalStart journals that a container may start in this boot of the machine. The
// returned function waits until that is durable. If the agent is killed, the runtime still
// knows what was started. After a power cut, only the journal knows it.
func (e *Engine) journalStart(h *taskHandle, name string) (durable func() error) {
	if e.cfg.Boot == "" {
		return func() error { return nil }
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.task.findContainer(name).Boot = e.cfg.Boot
	return e.saveTask(h.task)
}

// findNameOwner finds the container that already has a name. A runtime reserves the name
// before the container exists. So while an earlier creation is under way, the runtime
// knows no container of that name, and the error is the one for an unreachable runtime.
func (e *Engine) findNameOwner(ctx context.Context, name string, taken error) (runtime.Container, error) {
	c, err := e.cfg.Runtime.Inspect(ctx, name)
	switch {
	case err == nil:
		return c, taken
	case errors.Is(err, runtime.ErrNotFound):
		return c, &runtime.Error{Kind: runtime.ErrUnreachable, Err: taken}
	default:
		return c, err
	}
}

// adoptContainer takes over the container that already has our name, if an earlier create
// of ours made it and its answer was lost. No start was sent to it yet: a start needs its
// id.
func (e *Engine) adoptContainer(h *taskHandle, name string, c runtime.Container, taken error) {
	if c.Labels[LabelTask] != h.task.Payload.Arn || c.Labels[LabelInstallation] != e.cfg.InstallationID {
		e.dispatchOutcome(h, CreateDone{Container: name, Err: toFailure(CannotCreate, taken)})
		return
	}
	e.log.Info("container was there already, adopted", "task", h.task.Payload.Arn, "container", name, "phase", c.Phase)
	if c.Phase == runtime.PhaseCreated {
		e.dispatchOutcome(h, CreateDone{Container: name, ID: c.ID, Ports: c.Ports})
		return
	}
	e.dispatchFound(h, name, c)
}

// dispatchFound dispatches that a container has started, and its end if it has ended.
func (e *Engine) dispatchFound(h *taskHandle, name string, c runtime.Container) {
	for _, p := range c.Ports {
		e.ledger.reservePort(h.task.Payload.Arn, p.Protocol, p.HostPort)
	}
	e.dispatch(h, Found{Container: name, ID: c.ID, StartedAt: c.StartedAt, Ports: c.Ports, Health: c.Health})
	if c.Phase == runtime.PhaseExited {
		e.dispatch(h, Exited{Container: name, Code: c.ExitCode, OOM: c.OOMKilled, At: c.FinishedAt})
	} else {
		e.inspectContainer(h, name, c.ID) // its end may have been reported before the task knew its id
	}
}

// stopContainer stops a container. It retries until the container has stopped.
func (e *Engine) stopContainer(h *taskHandle, name string) {
	h.mu.Lock()
	id := h.task.findContainer(name).RuntimeID
	h.mu.Unlock()
	timeout := e.cfg.StopTimeout
	if s := h.task.findDefinition(name).StopTimeout; s > 0 {
		timeout = time.Duration(s) * time.Second
	}
	for delay := time.Second; ; delay = min(2*delay, time.Minute) {
		err := e.cfg.Runtime.Stop(e.ctx, id, timeout)
		if err == nil {
			var c runtime.Container
			if c, err = e.cfg.Runtime.Inspect(e.ctx, id); err == nil && c.Phase == runtime.PhaseExited {
				e.dispatch(h, Exited{Container: name, Code: c.ExitCode, OOM: c.OOMKilled, At: c.FinishedAt})
				return
			}
		}
		if errors.Is(err, runtime.ErrNotFound) {
			e.dispatch(h, Gone{Container: name, At: time.Now()})
			return
		}
		if e.isClosing() {
			return
		}
		e.log.Error("container could not be stopped, trying again", "task", h.task.Payload.Arn, "container", name, "err", toFailure(CannotStop, orError(err, "it still runs")))
		if pace.Sleep(e.ctx, delay) != nil {
			return
		}
	}
}

// orError returns err, or an error with the text if err is nil.
func orError(err error, text string) error {
	if err == nil {
		return errors.New(text)
	}
	return err
}

// ensureStopped stops a container that should not run. It retries until that succeeds.
func (e *Engine) ensureStopped(id string) {
	for delay := time.Second; ; delay = min(2*delay, time.Minute) {
		err := e.cfg.Runtime.Stop(e.ctx, id, e.cfg.StopTimeout)
		if err == nil || errors.Is(err, runtime.ErrNotFound) || pace.Sleep(e.ctx, delay) != nil {
			return
		}
	}
}

// The shortest and the longest pause between two calls to a runtime that is away.
const (
	awayDelay    = 100 * time.Millisecond
	awayDelayMax = 5 * time.Second
)

// callLimited calls the runtime when the limiter gives it a turn. If the runtime is
// unreachable, it retries within the limit; it does not retry a start. A second creation
// collides with the first or repeats it, and neither does harm. state is the container
// status that a timeout error names.
func (e *Engine) callLimited(limit time.Duration, class int, state string, fn func(context.Context) error) error {
	var end time.Time // the limit counts from the first turn
	for delay := awayDelay; ; delay = min(2*delay, awayDelayMax) {
		// Close ends the wait for a turn. It does not end a call at once.
		if err := e.limit.acquire(e.ctx, class); err != nil {
			return err
		}
		if end.IsZero() {
			end = time.Now().Add(limit)
		}
		ctx, cancel := context.WithDeadline(e.lateCtx, end)
		err := fn(ctx)
		expired := errors.Is(ctx.Err(), context.DeadlineExceeded)
		cancel()
		e.limit.release()
		switch {
		case err == nil:
			return nil
		case expired:
			return failf(TimedOut, "Could not transition to %s; timed out after waiting %s", state, limit)
		case !errors.Is(err, runtime.ErrUnreachable) || class == startClass:
			return err
		}
		if delay == awayDelay {
			e.log.Warn("engine unreachable, trying again", "err", err)
		}
		if pace.Sleep(e.ctx, pace.Nearly(delay)) != nil {
			return err
		}
	}
}

// choosePorts returns the port mappings with a host port for each. It reserves the dynamic
// ones.
func (e *Engine) choosePorts(t *acs.Task, d *acs.Container) ([]runtime.Port, error) {
	if t.NetworkMode == "host" || t.NetworkMode == "none" {
		return nil, nil
	}
	var out []runtime.Port
	for _, m := range d.PortMappings {
		protocol := protocolOf(m)
		first, count, err := mappedPorts(m)
		if err != nil {
			return nil, err
		}
		host := m.HostPort
		if host == 0 {
			if host, err = e.ledger.reserveFreePorts(t.Arn, protocol, count); err != nil {
				return nil, err
			}
		}
		for i := range count {
			out = append(out, runtime.Port{ContainerPort: first + i, HostPort: host + i, Protocol: protocol})
		}
	}
	return out, nil
}

// releaseDynamicPorts releases a container's dynamic ports.
func (e *Engine) releaseDynamicPorts(h *taskHandle, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fixed := map[portKey]bool{}
	for _, k := range portKeys(requiredResources(&h.task.Payload)) {
		fixed[k] = true
	}
	for _, p := range h.task.findContainer(name).Ports {
		if !fixed[portKey{p.Protocol, p.HostPort}] {
			e.ledger.releasePort(h.task.Payload.Arn, p.Protocol, p.HostPort)
		}
	}
}

// finishTask releases a task's share of the host, and records that the task must never
// start again.
func (e *Engine) finishTask(h *taskHandle) {
	arn := h.task.Payload.Arn
	e.addTombstone(arn)
	e.ledger.release(arn)
	e.spawn(e.admitWaiting)
}
