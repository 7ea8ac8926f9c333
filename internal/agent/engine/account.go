package engine

import "github.com/ashore/ashore/internal/wire/acs"

// Account is what a task is, takes and has come to, for a server that may not know
// it.
type Account struct {
	Family, Version, LaunchType string
	Needs                       Resources
	GPUs                        []string
	Report                      Report // of its whole state, told before or not
}

// Account returns that of a task that has not ended.
func (e *Engine) Account(arn string) (Account, bool) {
	h := e.held(arn)
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
	a := Account{Family: p.Family, Version: p.Version, LaunchType: p.LaunchType, Needs: needs(p), Report: t.whole()}
	for _, x := range p.Associations {
		if x.Type == "gpu" {
			a.GPUs = append(a.GPUs, x.Name)
		}
	}
	return a, true
}

// whole is a report of all that there is to say of a task. It counts as none: what
// is to be delivered stays so.
func (t *Task) whole() Report {
	r := Report{TaskArn: t.Payload.Arn, Status: t.level(), PullStartedAt: t.PullStartedAt, PullStoppedAt: t.PullStoppedAt}
	if r.Status == acs.StatusStopped {
		r.Status = acs.StatusRunning // its end is to come
	}
	for _, c := range t.Containers {
		if c.Status >= Running {
			r.Containers = append(r.Containers, t.told(c))
		}
	}
	return r
}

// told is what is said of a container.
func (t *Task) told(c *Container) ContainerReport {
	r := ContainerReport{
		Name: c.Name, RuntimeID: clip(c.RuntimeID, maxID), Status: c.Status.Wire(), ExitCode: c.ExitCode,
		Digest: clip(c.Digest, maxID), Reason: clip(c.Reason, maxReason),
	}
	if c.Status >= Running && !c.StartedAt.IsZero() {
		r.Ports = bindings(t.definition(c.Name), c.Ports)
	}
	return r
}
