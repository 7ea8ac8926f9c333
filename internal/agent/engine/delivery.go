package engine

import "github.com/ashore/ashore/internal/wire/acs"

// NextReport returns a task's oldest undelivered report. The report counts as being sent
// until MarkDelivered or MarkUndelivered is called.
func (e *Engine) NextReport(arn string) (Report, bool) {
	h := e.findTask(arn)
	if h == nil {
		return Report{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.task.Reports) == 0 {
		return Report{}, false
	}
	h.task.sending = true
	return h.task.Reports[0], true
}

// MarkUndelivered returns a report to the queue that could not be delivered now.
func (e *Engine) MarkUndelivered(arn string) {
	if h := e.findTask(arn); h != nil {
		h.mu.Lock()
		h.task.sending = false
		h.mu.Unlock()
	}
}

// MarkDelivered removes a delivered report, and reports whether the task has another.
func (e *Engine) MarkDelivered(arn string, seq int64) (more bool) {
	h := e.findTask(arn)
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.task
	t.sending = false
	if len(t.Reports) > 0 && t.Reports[0].Seq == seq {
		r := t.Reports[0]
		t.Reports = t.Reports[1:]
		if len(t.Reports) == 0 {
			t.Reports = nil
		}
		if r.Status == acs.StatusStopped && !t.EndDelivered {
			t.EndDelivered = true
			e.scheduleCleanup(h, t)
		}
		e.saveTask(t)
	}
	return len(t.Reports) > 0
}

// TasksWithReports returns the ARNs of the tasks with undelivered reports.
func (e *Engine) TasksWithReports() []string {
	var out []string
	for arn, h := range e.allTasks() {
		h.mu.Lock()
		if len(h.task.Reports) > 0 {
			out = append(out, arn)
		}
		h.mu.Unlock()
	}
	return out
}
