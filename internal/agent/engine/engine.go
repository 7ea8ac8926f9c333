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

// Config of an Engine. Zero values are the defaults.
type Config struct {
	Runtime runtime.Runtime
	Journal *journal.Journal // nil: nothing outlives the process
	Log     *slog.Logger

	InstallationID string
	Region         string
	Boot           string    // tells this run of the machine from others; empty: unknown
	Total          Resources // what the host offers
	Reserved       Resources // ports that no task may have
	PortLow        int       // dynamic host ports
	PortHigh       int
	ProbePort      func(protocol string, port int) bool // whether a port can be had; nil: unknown
	Cgroups        Cgroups                              // nil: no task-level limits
	Resources      []Resource                           // further ones; each is provided after those before it

	PullBehavior PullBehavior
	PullTimeout  time.Duration // 2 h
	// LocalPullTimeout bounds the try at a registry for an image that is here.
	LocalPullTimeout time.Duration // 2 s
	CreateTimeout    time.Duration // 4 min
	StartTimeout     time.Duration // 3 min
	StopTimeout      time.Duration // 30 s, where the container names none
	CleanupWait      time.Duration // 3 h
	Parallel         int           // creations and starts at once

	// OnReport is called when a task has a report to deliver. It must not block.
	OnReport func(taskArn string)
	// OnHealth is called when the health of a running task's container is another,
	// or was known before the task ran. It must not block.
	OnHealth func(taskArn string)
	// Tombstones is how many ended tasks are known at most; 50,000 unless set.
	Tombstones int
	// OnEngine is called when the container engine has been away for EngineAway, or
	// gets its work done no more, and when that is over. It must not block.
	OnEngine func()
	// EngineAway is 15 s: what is placed here while the engine is restarted or
	// upgraded waits for it.
	EngineAway time.Duration
	Limits     runtime.Limits // of calls to the Runtime
}

// DefaultParallel is what Docker Engine gains by; more only makes each slower.
const DefaultParallel = 8

// Engine runs the tasks of one host.
type Engine struct {
	cfg     Config // its Runtime is bounded
	bounded *runtime.Bounded
	log     *slog.Logger
	ledger  *ledger
	limit   *limiter
	feed    *eventFeed
	// resources are provided in this order and released in the other. Constant.
	resources []Resource

	// ctx ends all work at once; calls that change the engine's state get a
	// little longer by late, so that their outcome is seldom unknown.
	ctx        context.Context
	cancel     context.CancelFunc
	late       context.Context
	lateCancel context.CancelFunc

	mu             sync.Mutex
	closed         bool
	wg             sync.WaitGroup
	tasks          map[string]*taskHandle
	waiting        []string // not admitted yet, oldest first
	tombstones     tombstones
	location       location
	unreachable    map[string]time.Time // image → when its registry last could not be reached
	resyncs        resyncState
	stoppingStrays map[string]bool // ids of the containers that are being stopped though no task says so

	recovered atomic.Bool // what an earlier run left is taken up
}

// taskHandle is a task with its lock.
type taskHandle struct {
	mu          sync.Mutex
	task        *Task
	cancelPulls map[string]context.CancelFunc // of the pulls under way; nil if none is
	removed     bool                          // removed; outcomes that still come are of no interest
	begun       bool                          // its order is journaled and acted upon
}

const (
	grace              = 10 * time.Second // for calls in flight when the engine closes
	registryRetryDelay = 30 * time.Second // before an unreachable registry is tried again for a local image
)

// New prepares an engine; Run brings it to life.
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
	// The engine's own time for these says what ECS's agent says of it.
	def(&cfg.Limits.Create, cfg.CreateTimeout+10*time.Second)
	def(&cfg.Limits.Start, cfg.StartTimeout+10*time.Second)
	bounded := runtime.Bound(cfg.Runtime, cfg.Limits, cfg.OnEngine)
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
	e.late, e.lateCancel = context.WithCancel(context.Background())
	return e
}

// SetInstance says under which name the host is registered now. It must be known
// before a task is accepted.
func (e *Engine) SetInstance(arn, cluster string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.location.instance, e.location.cluster = arn, cluster
}

func (e *Engine) readLocation() location {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.location
}

// Accept takes a task's order from the server. It returns once the order is
// journaled; only then may it be acknowledged, and only then is it acted upon.
// Orders for one task must come in their order.
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

// beginTask acts upon a task's order, once. Whichever order of a task is the first to
// be journaled begins it: those before it may have failed.
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

// Reject answers a task that could not be read.
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

// repeatOrder is an order for a known task.
func (e *Engine) repeatOrder(h *taskHandle, p acs.Task) func() error {
	// The server asks about a task whose end it was told: tell it once more. An
	// end that this very order brings is told in any case.
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
		unsent := len(h.task.Reports) > 0 // queued here, or for an order that could not be journaled
		h.mu.Unlock()
		if unsent {
			e.cfg.OnReport(p.Arn)
		}
		return nil
	}
}

// admitTask lets a task begin if the host has room, else it waits, and blocks nobody.
func (e *Engine) admitTask(arn string, h *taskHandle) {
	if e.ledger.reserve(arn, requiredResources(&h.task.Payload)) {
		e.dispatchAdmit(h)
		return
	}
	e.log.Warn("task waits for resources of this host", "task", arn)
	e.mu.Lock()
	e.waiting = append(e.waiting, arn)
	e.mu.Unlock()
	e.admitWaiting() // room may have come between the two
}

// admitWaiting looks at all that wait.
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

func (e *Engine) dispatchAdmit(h *taskHandle) {
	e.dispatch(h, Admit{})
	if h.hasEnded() { // stopped before it was its turn: Finish has come and gone
		e.ledger.release(h.task.Payload.Arn)
		e.spawn(e.admitWaiting)
	}
}

func (h *taskHandle) hasEnded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.task.StoppedAt.IsZero()
}

// saveTask journals a task's state; the caller holds its lock.
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

// dispatch applies an event to a task and sets off what follows from it.
func (e *Engine) dispatch(h *taskHandle, ev Event) {
	h.mu.Lock()
	if h.removed {
		h.mu.Unlock()
		return
	}
	before, health := h.task.Status(), h.task.healthOfEvent(ev)
	acts := Step(h.task, time.Now(), ev)
	if !isTransient(ev) || len(acts) > 0 {
		e.saveTask(h.task) // durable soon; what is lost of it the engine's own state tells again
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

// isTransient says whether an event alone changes nothing that outlives the process.
func isTransient(ev Event) bool {
	switch ev.(type) {
	case Tick, PullBegun:
		return true
	}
	return false
}

// spawn runs fn in a goroutine that Close awaits; after Close it does nothing.
func (e *Engine) spawn(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.wg.Go(fn)
}

// runAfter runs fn at a time, unless the engine is closed by then.
func (e *Engine) runAfter(d time.Duration, fn func()) {
	time.AfterFunc(d, func() { e.spawn(fn) })
}

func (e *Engine) findTask(arn string) *taskHandle {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tasks[arn]
}

func (e *Engine) allTasks() map[string]*taskHandle {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[string]*taskHandle, len(e.tasks))
	for arn, h := range e.tasks {
		out[arn] = h
	}
	return out
}

// Close stops working on tasks and leaves containers as they are.
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
	timer := time.AfterFunc(grace, e.lateCancel)
	e.wg.Wait()
	timer.Stop()
	e.lateCancel()
}

func (e *Engine) isClosing() bool { return e.ctx.Err() != nil }

func toFailure(name string, err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{name, err.Error()}
}
