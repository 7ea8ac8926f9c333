package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/link/acs"
)

// Load reads the journal. It must come before Run.
func (e *Engine) Load() error {
	if e.cfg.Journal == nil {
		return nil
	}
	err := e.cfg.Journal.Each(journal.Tombstones, func(arn string, v []byte) error {
		at, err := time.Parse(time.RFC3339Nano, string(v))
		if err != nil {
			at = time.Now()
		}
		e.tombstones[arn] = at
		return nil
	})
	if err != nil {
		return err
	}
	e.pruneTombstones()
	return e.cfg.Journal.Each(journal.Tasks, func(arn string, v []byte) error {
		t, err := readTask(arn, v)
		if err != nil {
			// One record must not keep all other tasks from being taken up. Its
			// containers, if it has any, tell again what it said.
			e.log.Error("journal: a task's record cannot be read and is dropped", "task", arn, "bytes", len(v), "err", err)
			e.cfg.Journal.Delete(journal.Tasks, arn)
			return nil
		}
		// What was under way is not known: nothing may be done to a container
		// until the engine was asked about it.
		for _, c := range t.Containers {
			if c.Status < Running {
				c.doing = Recovering
			}
		}
		e.tasks[arn] = &held{task: t}
		return nil
	})
}

func readTask(arn string, record []byte) (*Task, error) {
	t := new(Task)
	if err := json.Unmarshal(record, t); err != nil {
		return nil, err
	}
	if t.Payload.Arn != arn {
		return nil, fmt.Errorf("it is one of task %q", t.Payload.Arn)
	}
	if slices.Contains(t.Containers, nil) {
		return nil, errors.New("a container is missing")
	}
	return t, nil
}

func (e *Engine) pruneTombstones() {
	byAge := slices.SortedFunc(maps.Keys(e.tombstones), func(a, b string) int { return e.tombstones[a].Compare(e.tombstones[b]) })
	for i, arn := range byAge {
		if time.Since(e.tombstones[arn]) < tombstoneLife && len(byAge)-i <= tombstoneMax {
			return
		}
		delete(e.tombstones, arn)
		e.cfg.Journal.Delete(journal.Tombstones, arn)
	}
}

// InstanceFromEngine is the container instance that this installation's
// containers on the engine name, if they do; of several the one with the most
// running. It is asked when the journal is lost.
func (e *Engine) InstanceFromEngine(ctx context.Context) (arn, cluster string, err error) {
	list, err := e.cfg.Runtime.List(ctx, map[string]string{LabelInstallation: e.cfg.InstallationID})
	if err != nil {
		return "", "", err
	}
	count := map[string]int{}
	for _, c := range list {
		if i := c.Labels[LabelInstance]; i != "" && c.Phase == runtime.PhaseRunning {
			count[i]++
			if arn == "" || count[i] > count[arn] {
				arn, cluster = i, c.Labels[LabelCluster]
			}
		}
	}
	return arn, cluster, nil
}

// Run takes up what the journal and the engine hold, then follows the engine's
// events until Close. It returns when recovery is done. SetInstance comes first,
// if an instance is known.
func (e *Engine) Run(ctx context.Context) error {
	e.spawn(e.follow)
	select {
	case <-e.feed.ready():
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ctx.Done():
		return errors.New("engine is closed")
	}
	return e.recover(ctx)
}

func (e *Engine) recover(ctx context.Context) error {
	here := e.here()
	var list []runtime.Container
	if here.instance != "" {
		var err error
		list, err = e.cfg.Runtime.List(ctx, map[string]string{LabelInstallation: e.cfg.InstallationID, LabelInstance: here.instance})
		if err != nil {
			return fmt.Errorf("recovery: %w", err)
		}
	}
	byTask := map[string][]runtime.Container{}
	for _, c := range list {
		byTask[c.Labels[LabelTask]] = append(byTask[c.Labels[LabelTask]], c)
	}
	for arn, cs := range byTask {
		if e.held(arn) == nil {
			e.rebuild(arn, cs)
		}
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for arn, h := range e.all() {
		group.Go(func() error { return e.readopt(gctx, h, byTask[arn]) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	return nil
}

// rebuild makes a task that the journal does not know from its containers'
// labels.
func (e *Engine) rebuild(arn string, cs []runtime.Container) {
	e.mu.Lock()
	_, ended := e.tombstones[arn]
	e.mu.Unlock()
	if ended {
		e.log.Info("removing what is left of an ended task", "task", arn)
		for _, c := range cs {
			if err := e.cfg.Runtime.Remove(e.ctx, c.ID, false); err != nil {
				e.log.Warn("left-over container cannot be removed", "container", c.Name, "err", err)
			}
		}
		return
	}
	var o outline
	if err := json.Unmarshal([]byte(cs[0].Labels[LabelOutline]), &o); err != nil {
		e.log.Error("container of this instance has unreadable labels, leaving it alone", "container", cs[0].Name, "err", err)
		return
	}
	e.log.Info("rebuilding a task from the engine", "task", arn, "containers", len(cs))
	t := NewTask(o.task(cs[0].Labels), time.Now())
	t.Admitted, t.Provisioned = true, true
	missing := len(t.Containers)
	for _, c := range cs {
		if mine := t.container(c.Labels[LabelContainer]); mine != nil {
			mine.RuntimeID = c.ID
			if c.Phase != runtime.PhaseCreated {
				mine.Status = Created
				missing--
			}
		}
	}
	if missing > 0 { // the rest can't be created without their definitions
		t.Desired = acs.StatusStopped
		t.Reason = "the agent's journal was lost before all containers of the task had started"
	}
	e.mu.Lock()
	e.tasks[arn] = &held{task: t}
	e.mu.Unlock()
}

// readopt brings a task's state up to what the engine says, and goes on.
func (e *Engine) readopt(ctx context.Context, h *held, cs []runtime.Container) error {
	h.mu.Lock()
	t := h.task
	arn := t.Payload.Arn
	if t.Buried {
		e.scheduleCleanup(h, t)
		h.mu.Unlock()
		return nil
	}
	live, admitted := t.StoppedAt.IsZero(), t.Admitted
	status := map[string]Status{}
	before := map[string]bool{} // it may have been started before the machine went down
	for _, c := range t.Containers {
		status[c.Name] = c.Status
		before[c.Name] = c.Boot != e.cfg.Boot && c.Boot != ""
		for _, p := range c.Ports {
			if live {
				e.ledger.hold(arn, p.Protocol, p.HostPort)
			}
		}
	}
	h.mu.Unlock()
	if live && admitted {
		e.ledger.force(arn, needs(&t.Payload))
		e.restoreParent(h)
	}
	seen := map[string]bool{}
	for _, short := range cs {
		name := short.Labels[LabelContainer]
		known, mine := status[name]
		if !mine {
			continue
		}
		c, err := e.cfg.Runtime.Inspect(ctx, short.ID)
		if errors.Is(err, runtime.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		seen[name] = true
		switch {
		case known == Stopped && c.Phase == runtime.PhaseRunning:
			e.log.Warn("container runs though its end was reported, stopping it", "task", arn, "container", name)
			e.spawn(func() { e.ensureStopped(c.ID) })
		case known == Stopped:
		case c.Phase == runtime.PhaseCreated && (before[name] || known == Running):
			e.dispatch(h, Forgotten{Container: name, ID: c.ID, At: time.Now()})
		case c.Phase == runtime.PhaseCreated:
			e.dispatch(h, Unstarted{Container: name, ID: c.ID})
		default:
			e.found(h, name, c)
		}
	}
	var gone, forgotten []string
	h.mu.Lock()
	for _, c := range t.Containers {
		if seen[c.Name] || c.Status == Stopped {
			continue
		}
		if before[c.Name] && c.Status < Running {
			forgotten = append(forgotten, c.Name)
			continue
		}
		if c.Removing { // on the way from the old one to the new
			c.RuntimeID, c.Status, c.Removing = "", Pulled, false
		}
		if c.RuntimeID != "" {
			gone = append(gone, c.Name)
		} else if c.doing == Recovering {
			c.doing = Idle // never created
		}
	}
	wanted, unsent := t.Desired == acs.StatusRunning && live, len(t.Reports) > 0
	h.mu.Unlock()
	for _, name := range gone {
		e.dispatch(h, Gone{Container: name, At: time.Now()})
	}
	for _, name := range forgotten {
		e.dispatch(h, Forgotten{Container: name, At: time.Now()})
	}
	h.mu.Lock()
	h.begun = true
	h.mu.Unlock()
	if wanted && !admitted {
		e.admit(arn, h)
	}
	e.dispatch(h, Tick{})
	if unsent {
		e.cfg.OnReport(arn)
	}
	return nil
}

// restoreParent finds the task's cgroup again; its limits are set anew.
func (e *Engine) restoreParent(h *held) {
	if !e.limited(h.task) {
		return
	}
	if fail := e.provision(h); fail != nil {
		e.log.Warn("cgroup of a running task cannot be set up", "task", h.task.Payload.Arn, "err", fail.Text)
	}
}

// replace removes a container that was created but, as far as anyone saw, never
// started, and creates it anew. Its start may have been asked for by an agent
// that then died, and still be on its way to the engine; starting it too could
// make it run twice. Removal settles that: it fails if the container runs, and
// the engine tells of a start before it tells of the removal.
func (e *Engine) replace(h *held, name string) {
	h.mu.Lock()
	id := h.task.container(name).RuntimeID
	commit := e.save(h.task)
	h.mu.Unlock()
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
	c, err := e.cfg.Runtime.Inspect(e.late, id)
	if err == nil && c.Phase != runtime.PhaseCreated {
		e.found(h, name, c)
		return
	}
	if err == nil {
		err = e.cfg.Runtime.Remove(e.late, id, false)
	}
	if errors.Is(err, runtime.ErrRunning) {
		if c, err = e.cfg.Runtime.Inspect(e.late, id); err == nil {
			e.found(h, name, c)
			return
		}
	}
	if err != nil {
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
	case lost:
		e.outcome(h, CreateDone{Container: name, Err: failf(CannotStart, "whether the container had started could not be told, so it is not started again")})
	default:
		h.mu.Lock()
		stop := h.task.Desired == acs.StatusStopped
		h.mu.Unlock()
		if stop {
			e.dispatch(h, CreateDone{Container: name})
			return
		}
		e.create(h, name)
	}
}
