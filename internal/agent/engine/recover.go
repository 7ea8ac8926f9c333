package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/wire/acs"
)

// FindInstance returns the ARN and the cluster of the container instance that this
// installation's containers name in their labels, or "". If they name several, it returns
// the one with the most running containers, and if none runs, the one with the most
// containers. The agent calls it when its journal is lost.
func (e *Engine) FindInstance(ctx context.Context) (arn, cluster string, err error) {
	list, err := e.listContainers(ctx, map[string]string{LabelInstallation: e.cfg.InstallationID})
	if err != nil {
		return "", "", err
	}
	const running = 1 << 32 // a running container counts more than any number of others
	count := map[string]int{}
	for _, c := range list {
		i := c.Labels[LabelInstance]
		if i == "" {
			continue
		}
		if count[i]++; c.Phase == runtime.PhaseRunning {
			count[i] += running
		}
		if arn == "" || count[i] > count[arn] {
			arn, cluster = i, c.Labels[LabelCluster]
		}
	}
	return arn, cluster, nil
}

// Run restores the tasks from the journal and the runtime, then follows the runtime's
// events until Close. It returns when the recovery is complete. While the runtime is away,
// it waits. Call SetInstance before, if an instance is known.
func (e *Engine) Run(ctx context.Context) error {
	e.spawn(e.followEvents)
	select {
	case <-e.feed.whenSubscribed():
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ctx.Done():
		return errors.New("engine is closed")
	}
	if err := e.recoverTasks(ctx); err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	e.recovered.Store(true)
	e.resync()
	return nil
}

// recoverTasks brings all tasks of the journal and of the runtime up to date.
func (e *Engine) recoverTasks(ctx context.Context) error {
	var list []runtime.Container
	if loc := e.readLocation(); loc.instance != "" {
		var err error
		if list, err = e.listContainers(ctx, loc.labels()); err != nil {
			return err
		}
	}
	byTask := map[string][]runtime.Container{}
	for _, c := range list {
		byTask[c.Labels[LabelTask]] = append(byTask[c.Labels[LabelTask]], c)
	}
	for arn, cs := range byTask {
		if e.findTask(arn) == nil {
			e.rebuildTask(arn, cs)
		}
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for arn, h := range e.allTasks() {
		group.Go(func() error { return e.recoverTask(gctx, h, byTask[arn]) })
	}
	return group.Wait()
}

// listContainers lists containers. It waits while the runtime is away.
func (e *Engine) listContainers(ctx context.Context, labels map[string]string) (list []runtime.Container, err error) {
	err = e.retryUnreachable(ctx, func(ctx context.Context) (err error) {
		list, err = e.cfg.Runtime.List(ctx, labels)
		return err
	})
	return list, err
}

// retryUnreachable calls fn until the runtime is reachable.
func (e *Engine) retryUnreachable(ctx context.Context, fn func(context.Context) error) error {
	for delay := awayDelay; ; delay = min(2*delay, awayDelayMax) {
		err := fn(ctx)
		if !errors.Is(err, runtime.ErrUnreachable) {
			return err
		}
		if delay == awayDelay {
			e.log.Warn("engine unreachable, asking again", "err", err)
		}
		if e.isClosing() || pace.Sleep(ctx, pace.Nearly(delay)) != nil {
			return err
		}
	}
}

// rebuildTask creates a task from its containers' labels, if the journal does not have it.
// It rebuilds no task that has a tombstone.
func (e *Engine) rebuildTask(arn string, cs []runtime.Container) {
	if e.hasTombstone(arn) {
		return
	}
	var p acs.Task
	var err error
	for _, c := range cs {
		if p, err = decodeOutline(c.Labels); err == nil {
			break
		}
	}
	if err != nil {
		e.log.Error("containers of this instance have unreadable labels and belong to no task", "container", cs[0].Name, "err", err)
		return
	}
	e.log.Info("rebuilding a task from the engine", "task", arn, "containers", len(cs))
	t := NewTask(p, time.Now())
	t.Admitted, t.Provisioned = true, true
	complete := true
	for _, own := range t.Containers {
		c, found := findOwn(t, own, cs)
		own.doing = Recovering
		if found {
			own.RuntimeID, own.Status = c.ID, Created
		}
		complete = complete && found && c.Phase != runtime.PhaseCreated
	}
	if !complete { // without their definitions the others can't be created
		t.Desired = acs.StatusStopped
		t.Reason = "the agent's journal was lost before all containers of the task had started"
	}
	e.mu.Lock()
	e.tasks[arn] = &taskHandle{task: t, begun: true}
	e.mu.Unlock()
}

// decodeOutline decodes a task from a container's labels.
func decodeOutline(labels map[string]string) (acs.Task, error) {
	var o outline
	if err := json.Unmarshal([]byte(labels[LabelOutline]), &o); err != nil {
		return acs.Task{}, err
	}
	t := o.task(labels)
	if t.Arn == "" || len(t.Containers) == 0 {
		return t, errors.New("no task, or no containers")
	}
	return t, nil
}

// findOwn finds a task's container among those with its labels, by its id, else by its
// name. Labels can be copied, so they prove nothing. The id may be new: a container may
// have been created again just before the agent ended.
func findOwn(t *Task, c *Container, cs []runtime.Container) (runtime.Container, bool) {
	if i := slices.IndexFunc(cs, func(it runtime.Container) bool { return it.ID == c.RuntimeID }); i >= 0 {
		return cs[i], true
	}
	name := ContainerName(&t.Payload, c.Name)
	if i := slices.IndexFunc(cs, func(it runtime.Container) bool { return it.Name == name }); i >= 0 {
		return cs[i], true
	}
	return runtime.Container{}, false
}

// recoverTask brings a task's state up to date with the runtime's, and goes on with the
// task. It inspects all of the task's containers first and then dispatches one event. If
// the event had only some of them, Step would treat the others as never created.
func (e *Engine) recoverTask(ctx context.Context, h *taskHandle, cs []runtime.Container) error {
	h.mu.Lock()
	t := h.task
	arn := t.Payload.Arn
	if t.EndDelivered {
		e.scheduleCleanup(h, t)
		h.mu.Unlock()
		return nil
	}
	live, admitted := t.StoppedAt.IsZero(), t.Admitted
	ids := map[string]string{}
	for _, c := range t.Containers {
		if it, found := findOwn(t, c, cs); found && c.Status != Stopped {
			ids[c.Name] = it.ID
		}
		for _, p := range c.Ports {
			if live {
				e.ledger.reservePort(arn, p.Protocol, p.HostPort)
			}
		}
	}
	h.mu.Unlock()
	if live && admitted {
		e.ledger.reserveRunning(arn, requiredResources(&t.Payload))
		e.restoreResources(h)
	}
	seen := map[string]runtime.Container{}
	for name, id := range ids {
		var c runtime.Container
		err := e.retryUnreachable(ctx, func(ctx context.Context) (err error) {
			c, err = e.cfg.Runtime.Inspect(ctx, id)
			return err
		})
		switch {
		case errors.Is(err, runtime.ErrNotFound):
		case err != nil && ctx.Err() == nil && !e.isClosing():
			e.log.Error("container cannot be inspected, its task waits", "task", arn, "container", name, "err", err)
			e.runAfter(recoverRetryDelay, func() { _ = e.recoverTask(e.ctx, h, cs) }) // fails when the engine closes
			return nil
		case err != nil:
			return err
		default:
			seen[name] = c
		}
	}
	for _, c := range seen {
		for _, p := range c.Ports {
			if live && c.Phase != runtime.PhaseCreated {
				e.ledger.reservePort(arn, p.Protocol, p.HostPort)
			}
		}
	}
	e.dispatch(h, Recovered{Containers: seen, Boot: e.cfg.Boot, At: time.Now()})
	h.mu.Lock()
	wanted, unsent := t.Desired == acs.StatusRunning && live, len(t.Reports) > 0
	h.mu.Unlock()
	if wanted && !admitted {
		e.admitTask(arn, h)
	}
	if unsent {
		e.cfg.OnReport(arn)
	}
	return nil
}

// recoverRetryDelay is how long a task waits if one of its containers can't be inspected.
const recoverRetryDelay = 10 * time.Second
