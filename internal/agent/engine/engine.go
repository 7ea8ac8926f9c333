package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Config configures an Engine. A zero value means the default.
type Config struct {
	Runtime runtime.Runtime
	Journal *journal.Journal // nil: nothing outlives the process
	Log     *slog.Logger

	InstallationID string
	Region         string
	Boot           string                               // identifies this boot of the machine; empty: unknown
	Total          Resources                            // what the host offers
	Reserved       Resources                            // ports that no task may use
	PortLow        int                                  // first dynamic host port
	PortHigh       int                                  // last dynamic host port
	ProbePort      func(protocol string, port int) bool // reports whether a port is free; nil: unknown
	Cgroups        Cgroups                              // nil: no task-level limits
	Resources      []Resource                           // more resources; each is provided after those before it

	PullBehavior PullBehavior
	PullTimeout  time.Duration // 2 h
	// LocalPullTimeout limits the pull of an image that is on this host already.
	LocalPullTimeout time.Duration // 2 s
	CreateTimeout    time.Duration // 4 min
	StartTimeout     time.Duration // 3 min
	StopTimeout      time.Duration // 30 s; used if the container sets none
	CleanupWait      time.Duration // 3 h
	Parallel         int           // creations and starts that run at the same time

	// OnReport is called when a task has a report to deliver. It must not block.
	OnReport func(taskArn string)
	// OnHealth is called when the health of a running task's container changes. It is
	// also called when a task begins to run and a health is known already. It must not
	// block.
	OnHealth func(taskArn string)
	// Tombstones is the highest number of ended tasks that the engine remembers. The
	// default is 50,000.
	Tombstones int
	// OnEngine is called when the container engine has been away for EngineAway, or
	// when its calls no longer finish, and again when that is over. It must not block.
	OnEngine func()
	// EngineAway is 15 s by default. A restart or an upgrade of the container engine is
	// shorter than that, and new tasks wait for it.
	EngineAway time.Duration
	Limits     runtime.Limits // of calls to the Runtime
}

// DefaultParallel is as much parallelism as Docker Engine gains from. With more, each call
// only gets slower.
const DefaultParallel = 8

// Engine runs the tasks of one host.
type Engine struct {
	cfg     Config // its Runtime is bounded
	bounded *runtime.Bounded
	log     *slog.Logger
	ledger  *ledger
	limit   *limiter
	feed    *eventFeed
	// resources are provided in this order and released in the reverse order. Constant.
	resources []Resource

	// ctx ends all work at once. Calls that change the container engine's state use
	// late, which ends a little later, so that their outcome is seldom unknown.
	ctx        context.Context
	cancel     context.CancelFunc
	lateCtx    context.Context
	cancelLate context.CancelFunc

	mu             sync.Mutex
	closed         bool
	wg             sync.WaitGroup
	tasks          map[string]*taskHandle // ARNs of tasks that are not admitted yet, oldest first
	waiting        []string               // not admitted yet, oldest first
	tombstones     tombstones
	location       location
	unreachable    map[string]time.Time // image → when its registry was last found unreachable
	resyncs        resyncState
	stoppingStrays map[string]bool // ids of the containers that are being stopped because they belong to no running task

	recovered atomic.Bool // the state that an earlier run left is restored
}

// taskHandle is a task and its lock.
type taskHandle struct {
	mu          sync.Mutex
	task        *Task
	cancelPulls map[string]context.CancelFunc // cancel the pulls that run now; nil if none runs
	removed     bool                          // the task was removed; ignore outcomes that arrive later
	begun       bool                          // its order is journaled and carried out
}

const (
	grace              = 10 * time.Second // for calls that run while the engine closes
	registryRetryDelay = 30 * time.Second // before an unreachable registry is tried again for an image that is on this host
)

// New prepares an engine. Run starts it.
func New(cfg Config) *Engine {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.PullTimeout, 2*time.Hour)
	def(&cfg.LocalPullTimeout, 2*time.Second)
	def(&cfg.EngineAway, 15*time.Second)
	def(&cfg.CreateTimeout, 4*time.Minute)
	def(&cfg.StartTimeout, 3*time.Minute)
	def(&cfg.StopTimeout, DefaultStopTimeout)
	def(&cfg.CleanupWait, 3*time.Hour)
	if cfg.Parallel == 0 {
		cfg.Parallel = DefaultParallel
	}
	if cfg.PortLow == 0 {
		cfg.PortLow, cfg.PortHigh = 32768, 60999
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OnEngine == nil {
		cfg.OnEngine = func() {}
	}
	if cfg.OnReport == nil {
		cfg.OnReport = func(string) {}
	}
	if cfg.OnHealth == nil {
		cfg.OnHealth = func(string) {}
	}
	// The create and start timeouts make errors in the words of ECS's agent. So the
	// runtime's limits are a little longer.
	def(&cfg.Limits.Create, cfg.CreateTimeout+10*time.Second)
	def(&cfg.Limits.Start, cfg.StartTimeout+10*time.Second)
	bounded := runtime.NewBounded(cfg.Runtime, cfg.Limits, cfg.OnEngine)
	cfg.Runtime = bounded
	e := &Engine{
		bounded: bounded,
		cfg:     cfg, log: cfg.Log,
		ledger:         newLedger(cfg.Total, cfg.Reserved, cfg.PortLow, cfg.PortHigh, cfg.ProbePort),
		limit:          newLimiter(cfg.Parallel),
		tasks:          map[string]*taskHandle{},
		tombstones:     newTombstones(cfg.Tombstones),
		unreachable:    map[string]time.Time{},
		stoppingStrays: map[string]bool{},
		location:       location{installation: cfg.InstallationID, region: cfg.Region},
	}
	e.feed = newEventFeed()
	if cfg.Cgroups != nil {
		e.resources = append(e.resources, taskLimits{cfg.Cgroups})
	}
	e.resources = append(append(e.resources, volumes{e}), cfg.Resources...)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.lateCtx, e.cancelLate = context.WithCancel(context.Background())
	return e
}

// SetInstance sets the ARN and the cluster under which the host is registered. Call it
// before the first Accept.
func (e *Engine) SetInstance(arn, cluster string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.location.instance, e.location.cluster = arn, cluster
}

// readLocation returns the current labels of this host.
func (e *Engine) readLocation() location {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.location
}

// Accept takes a task's order from the server. The caller must call the returned function:
// it returns nil once the order is journaled. Only then may the caller acknowledge the
// order, and only then does the engine carry it out. The orders for one task must come in
// the order in which the server sent them.
func (e *Engine) Accept(p acs.Task) func() error {
	now := time.Now()
	e.mu.Lock()
	if h, ok := e.tasks[p.Arn]; ok {
		e.mu.Unlock()
		return e.repeatOrder(h, p)
	}
	ended, buried := e.tombstones.endedAt(p.Arn)
	var t *Task
	switch {
	case p.DesiredStatus == acs.StatusStopped:
		t = NewTask(acs.Task{Arn: p.Arn, DesiredStatus: acs.StatusStopped}, now)
		if !buried && len(p.Containers) == 0 {
			t.Reason = TaskState + ": " + unknownStopText
		}
	case buried:
		t = NewTask(acs.Task{Arn: p.Arn, DesiredStatus: acs.StatusStopped}, now)
		t.Reason = fmt.Sprintf("%s: the task ended on this container instance at %s and is not started again", TaskState, ended.UTC().Format(time.RFC3339))
	default:
		reason := unsupportedReason(&p)
		if reason == "" {
			reason = e.ledger.whyImpossible(requiredResources(&p))
		}
		if reason != "" {
			t = NewTask(acs.Task{Arn: p.Arn, DesiredStatus: acs.StatusStopped, Family: p.Family, Version: p.Version}, now)
			t.Reason = fmt.Sprintf(cannotInit, p.Arn, reason)
			if reason == fmt.Sprintf(unresolvable, p.Arn) {
				t.Reason = reason
			}
		} else {
			t = NewTask(p, now)
		}
	}
	h := &taskHandle{task: t}
	e.tasks[p.Arn] = h
	e.mu.Unlock()

	h.mu.Lock()
	commit := e.saveTask(t)
	h.mu.Unlock()
	return func() error {
		if err := commit(); err != nil {
			return fmt.Errorf("task %s: %w", p.Arn, err)
		}
		e.beginTask(p.Arn, h)
		return nil
	}
}

// beginTask carries out a task's order, once. The first order of a task that is journaled
// begins it; earlier orders may have failed.
func (e *Engine) beginTask(arn string, h *taskHandle) {
	h.mu.Lock()
	begun, run := h.begun, h.task.Desired == acs.StatusRunning
	h.begun = true
	h.mu.Unlock()
	switch {
	case begun:
	case run:
		e.admitTask(arn, h)
	default:
		e.dispatch(h, Tick{})
	}
}

// Reject answers an order whose task could not be decoded. The task is reported as
// stopped.
func (e *Engine) Reject(arn string, cause error) {
	e.mu.Lock()
	if _, known := e.tasks[arn]; known || arn == "" {
		e.mu.Unlock()
		e.log.Error("unreadable task in payload", "task", arn, "err", cause)
		return
	}
	t := NewTask(acs.Task{Arn: arn, DesiredStatus: acs.StatusStopped}, time.Now())
	t.Reason = fmt.Sprintf("%s: Error loading task - %v", Unrecognised, cause)
	h := &taskHandle{task: t}
	e.tasks[arn] = h
	e.mu.Unlock()
	e.beginTask(arn, h)
}

// repeatOrder accepts an order for a known task.
func (e *Engine) repeatOrder(h *taskHandle, p acs.Task) func() error {
	// The server asks about a task whose end was reported already: report the end
	// again. An end that this order itself brings about is reported anyway.
	h.mu.Lock()
	notify := h.task.Sent == acs.StatusStopped && len(h.task.Reports) == 0
	h.mu.Unlock()
	if p.DesiredStatus == acs.StatusStopped {
		e.dispatch(h, Order{Desired: acs.StatusStopped})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if notify {
		h.task.Sent = acs.StatusRunning
		h.task.queueReport(acs.StatusStopped)
	}
	commit := e.saveTask(h.task)
	return func() error {
		if err := commit(); err != nil {
			return fmt.Errorf("task %s: %w", p.Arn, err)
		}
		e.beginTask(p.Arn, h)
		h.mu.Lock()
		unsent := len(h.task.Reports) > 0 // queued here, or by an order that could not be journaled
		h.mu.Unlock()
		if unsent {
			e.cfg.OnReport(p.Arn)
		}
		return nil
	}
}

// admitTask lets a task begin if the host has room. Otherwise the task waits; it does not
// block other tasks.
func (e *Engine) admitTask(arn string, h *taskHandle) {
	if e.ledger.reserve(arn, requiredResources(&h.task.Payload)) {
		e.dispatchAdmit(h)
		return
	}
	e.log.Warn("task waits for resources of this host", "task", arn)
	e.mu.Lock()
	e.waiting = append(e.waiting, arn)
	e.mu.Unlock()
	e.admitWaiting() // room may have come free before the task was in the list
}

// admitWaiting admits the waiting tasks that fit now.
func (e *Engine) admitWaiting() {
	e.mu.Lock()
	var ready []*taskHandle
	e.waiting = slices.DeleteFunc(e.waiting, func(arn string) bool {
		h := e.tasks[arn]
		if h == nil || h.hasEnded() {
			return true
		}
		if e.ledger.reserve(arn, requiredResources(&h.task.Payload)) {
			ready = append(ready, h)
			return true
		}
		return false
	})
	e.mu.Unlock()
	for _, h := range ready {
		e.dispatchAdmit(h)
	}
}

// dispatchAdmit lets a task begin for which the ledger has reserved resources.
func (e *Engine) dispatchAdmit(h *taskHandle) {
	e.dispatch(h, Admit{})
	if h.hasEnded() { // stopped before its turn: Finish ran before the reservation
		e.ledger.release(h.task.Payload.Arn)
		e.spawn(e.admitWaiting)
	}
}

// hasEnded reports whether the task has ended.
func (h *taskHandle) hasEnded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.task.StoppedAt.IsZero()
}

// saveTask journals a task's state. The returned function waits until it is durable. The
// caller holds the task's lock.
func (e *Engine) saveTask(t *Task) func() error {
	if e.cfg.Journal == nil {
		return func() error { return nil }
	}
	data, err := json.Marshal(t)
	if err != nil {
		return func() error { return err }
	}
	return e.cfg.Journal.Put(journal.Tasks, t.Payload.Arn, data).Wait
}

// dispatch applies an event to a task and carries out the actions that follow.
func (e *Engine) dispatch(h *taskHandle, ev Event) {
	h.mu.Lock()
	if h.removed {
		h.mu.Unlock()
		return
	}
	before, health := h.task.Status(), h.task.healthOfEvent(ev)
	acts := Step(h.task, time.Now(), ev)
	if !isTransient(ev) || len(acts) > 0 {
		e.saveTask(h.task) // durable soon; if it is lost, the runtime's own state shows it again
	}
	after := h.task.Status()
	news := after < Stopped && (h.task.healthOfEvent(ev) != health || before != after && h.task.hasKnownHealth())
	h.mu.Unlock()
	if news {
		e.cfg.OnHealth(h.task.Payload.Arn)
	}
	if before != after {
		e.log.Debug("task", "task", h.task.Payload.Arn, "status", after.Wire())
	}
	for _, a := range acts {
		e.perform(h, a)
	}
}

// isTransient reports whether an event by itself changes nothing that outlives the
// process.
func isTransient(ev Event) bool {
	switch ev.(type) {
	case Tick, PullBegun:
		return true
	}
	return false
}

// spawn runs fn in a goroutine. Close waits for it. After Close, spawn does nothing.
func (e *Engine) spawn(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.wg.Go(fn)
}

// runAfter runs fn after d, unless the engine is closed by then.
func (e *Engine) runAfter(d time.Duration, fn func()) {
	time.AfterFunc(d, func() { e.spawn(fn) })
}

// findTask returns a task's handle, or nil if the engine does not know the task.
func (e *Engine) findTask(arn string) *taskHandle {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tasks[arn]
}

// allTasks returns the handles of all tasks, by ARN.
func (e *Engine) allTasks() map[string]*taskHandle {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[string]*taskHandle, len(e.tasks))
	for arn, h := range e.tasks {
		out[arn] = h
	}
	return out
}

// Close ends the work on tasks. It leaves the containers as they are.
func (e *Engine) Close() {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	e.closed = true
	if e.resyncs.timer != nil {
		e.resyncs.timer.Stop()
	}
	e.mu.Unlock()
	e.cancel()
	timer := time.AfterFunc(grace, e.cancelLate)
	e.wg.Wait()
	timer.Stop()
	e.cancelLate()
}

func (e *Engine) isClosing() bool { return e.ctx.Err() != nil }

// toFailure returns err as a Failure. If err is none yet, the Failure gets the given name.
func toFailure(name string, err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{name, err.Error()}
}
