package engine

import "github.com/ashore/ashore/internal/wire/acs"

// Account describes a task to a server that may not know it: its definition, its resources
// and its state.
type Account struct {
	Family, Version, LaunchType string
	Needs                       Resources
	GPUs                        []string
	Report                      Report // of its whole state, reported before or not
}

// Account returns the account of a task. It returns false if the task is unknown or has
// ended.
func (e *Engine) Account(arn string) (Account, bool) {
	h := e.findTask(arn)
	if h == nil {
		return Account{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.task
	if !t.StoppedAt.IsZero() {
		return Account{}, false
	}
	p := &t.Payload
	a := Account{Family: p.Family, Version: p.Version, LaunchType: p.LaunchType, Needs: requiredResources(p), Report: t.fullReport()}
	for _, x := range p.Associations {
		if x.Type == "gpu" {
			a.GPUs = append(a.GPUs, x.Name)
		}
	}
	return a, true
}

// fullReport returns a report of a task's whole state. It does not change which reports
// are still to be delivered.
func (t *Task) fullReport() Report {
	r := Report{TaskArn: t.Payload.Arn, Status: t.reportStatus(), PullStartedAt: t.PullStartedAt, PullStoppedAt: t.PullStoppedAt}
	if r.Status == acs.StatusStopped {
		r.Status = acs.StatusRunning // the report of its end follows
	}
	for _, c := range t.Containers {
		if c.Status >= Running {
			r.Containers = append(r.Containers, t.containerReport(c))
		}
	}
	return r
}

// containerReport returns the report about a container.
func (t *Task) containerReport(c *Container) ContainerReport {
	r := ContainerReport{
		Name: c.Name, RuntimeID: truncate(c.RuntimeID, maxID), Status: c.Status.Wire(), ExitCode: c.ExitCode,
		Digest: truncate(c.Digest, maxID), Reason: truncate(c.Reason, maxReason),
	}
	if c.Status >= Running && !c.StartedAt.IsZero() {
		r.Ports = bindings(t.findDefinition(c.Name), c.Ports)
	}
	return r
}
