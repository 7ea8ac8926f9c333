package engine

import "github.com/ashore/ashore/internal/wire/acs"

// NextReport is a task's oldest undelivered report. Until Delivered or Undelivered is
// called it counts as on its way.
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

// MarkUndelivered gives a report back that could not be delivered now.
func (e *Engine) MarkUndelivered(arn string) {
	if h := e.findTask(arn); h != nil {
		h.mu.Lock()
		h.task.sending = false
		h.mu.Unlock()
	}
}

// MarkDelivered strikes a report off, and tells whether the task has another.
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

// TasksWithReports are the tasks with reports to deliver.
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
