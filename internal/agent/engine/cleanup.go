package engine

import (
	"time"

	"github.com/ashore/ashore/internal/agent/journal"
)

// scheduleCleanup schedules the removal of a task's containers and resources, CleanupWait
// after the task's end. The caller holds the task's lock.
func (e *Engine) scheduleCleanup(h *taskHandle, t *Task) {
	wait := time.Until(t.StoppedAt.Add(e.cfg.CleanupWait))
	if len(t.Containers) == 0 {
		wait = 0 // the task only answers an order; it has nothing to look at later
	}
	e.runAfter(max(wait, 0), func() { e.cleanUpTask(h) })
}

// cleanUpTask removes an ended task's containers, then its resources, then its journal
// record. The record goes last, so that an interrupted clean-up is repeated. The tombstone
// stays.
func (e *Engine) cleanUpTask(h *taskHandle) {
	h.mu.Lock()
	if h.removed || !h.task.EndDelivered || len(h.task.Reports) > 0 {
		h.mu.Unlock()
		return
	}
	t := h.task
	arn := t.Payload.Arn
	h.mu.Unlock()
	fail := func(what string, err error) {
		e.log.Warn("clean-up of a task failed, trying again later", "task", arn, "what", what, "err", err)
		e.runAfter(time.Minute, func() { e.cleanUpTask(h) })
	}
	for _, c := range t.Containers {
		if c.RuntimeID == "" {
			continue
		}
		if err := e.cfg.Runtime.Remove(e.lateCtx, c.RuntimeID, false); err != nil {
			fail("container "+c.Name, err)
			return
		}
	}
	if name, err := e.releaseResources(h); err != nil {
		fail(name, err)
		return
	}
	if names := e.unknownResources(h); len(names) > 0 {
		e.log.Warn("resources of an ended task stay on the host: this agent does not know them", "task", arn, "resources", names)
	}
	h.mu.Lock()
	h.removed = true
	h.mu.Unlock()
	e.mu.Lock()
	delete(e.tasks, arn)
	e.mu.Unlock()
	if e.cfg.Journal != nil {
		e.cfg.Journal.Delete(journal.Tasks, arn)
	}
}
