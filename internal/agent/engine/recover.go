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

// FindInstance is the container instance that this installation's
// containers on the engine name, if they do; of several the one with the most
// running, else with the most. It is asked when the journal is lost.
func (e *Engine) FindInstance(ctx context.Context) (arn, cluster string, err error) {
	list, err := e.listContainers(ctx, map[string]string{LabelInstallation: e.cfg.InstallationID})
	if err != nil {
		return "", "", err
	}
	const running = 1 << 32 // one that runs weighs more than any number that do not
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

// Run takes up what the journal and the engine hold, then follows the engine's
// events until Close. It returns when recovery is done, for which it waits as
// long as the engine is away. SetInstance comes first, if an instance is known.
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

func (e *Engine) recoverTasks(ctx context.Context) error {
	var list []runtime.Container
	if here := e.readLocation(); here.instance != "" {
		var err error
		if list, err = e.listContainers(ctx, here.labels()); err != nil {
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

// listContainers finds containers, however long the engine is away.
func (e *Engine) listContainers(ctx context.Context, labels map[string]string) (list []runtime.Container, err error) {
	err = e.retryUnreachable(ctx, func(ctx context.Context) (err error) {
		list, err = e.cfg.Runtime.List(ctx, labels)
		return err
	})
	return list, err
}

// retryUnreachable asks until the engine answers.
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

// rebuildTask makes a task that the journal does not know from its containers'
// labels. Of an ended task nothing is rebuilt.
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
	for _, mine := range t.Containers {
		c, there := findOwn(t, mine, cs)
		mine.doing = Recovering
		if there {
			mine.RuntimeID, mine.Status = c.ID, Created
		}
		complete = complete && there && c.Phase != runtime.PhaseCreated
	}
	if !complete { // the rest can't be created without their definitions
		t.Desired = acs.StatusStopped
		t.Reason = "the agent's journal was lost before all containers of the task had started"
	}
	e.mu.Lock()
	e.tasks[arn] = &taskHandle{task: t, begun: true}
	e.mu.Unlock()
}

// decodeOutline reads a task from a container's labels.
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

// findOwn finds a task's container among those that bear its labels, by its id, else
// by its name: labels can be copied, and a container that was just created anew
// may have an id that the journal had no time to learn.
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

// recoverTask brings a task's state up to what the engine says, and goes on. The
// task is stepped once, when all of its containers have been asked about: a step
// that knew some of them only would take the others for never begun.
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
		if it, there := findOwn(t, c, cs); there && c.Status != Stopped {
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

// recoverRetryDelay is how long a task waits whose container the engine can't show.
const recoverRetryDelay = 10 * time.Second
