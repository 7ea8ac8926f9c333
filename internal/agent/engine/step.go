package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// maxPortTries is how often a dynamic port is chosen again because another process of the
// host uses it.
const maxPortTries = 10

// Step applies one event to a task and returns the actions that follow. It reads no clock
// and does no I/O.
func Step(t *Task, now time.Time, ev Event) []Action {
	var acts []Action
	switch ev := ev.(type) {
	case Order:
		t.applyOrder(now, ev)
	case Admit:
		t.Admitted = true
	case Tick:
		t.changesDue = false
		if t.hasChanges() && t.Sent != acs.StatusStopped && t.Status() < Stopped {
			acts = append(acts, t.queueReport(t.reportStatus())...)
		}
	case Provided:
		t.setResource(ev.Resource, ResourceRecord{ResourceProvided, ev.Value})
	case Released:
		t.setResource(ev.Resource, ResourceRecord{Status: ResourceReleased})
	case Provisioned:
		t.provisioning = false
		if ev.Err != nil {
			t.rejectTask(now, ev.Err.Text)
		} else {
			t.Provisioned = true
		}
	default:
		acts = append(acts, t.applyContainerEvent(now, ev)...)
	}
	acts = append(acts, t.advance(now)...)
	return append(acts, t.queueReports(now)...)
}

// applyOrder applies the server's order to stop.
func (t *Task) applyOrder(now time.Time, o Order) {
	if o.Desired != acs.StatusStopped || t.Desired == acs.StatusStopped {
		return
	}
	t.Desired = acs.StatusStopped
	if o.Reason != "" {
		t.Reason = o.Reason
	}
	if t.ExecutionStoppedAt.IsZero() {
		t.ExecutionStoppedAt = now
	}
}

// rejectTask stops a task whose resources can't be provided.
func (t *Task) rejectTask(now time.Time, reason string) {
	if t.Reason == "" {
		t.Reason = reason
	}
	t.applyOrder(now, Order{Desired: acs.StatusStopped})
}

// applyContainerEvent applies an event that concerns a container.
func (t *Task) applyContainerEvent(now time.Time, ev Event) []Action {
	switch ev := ev.(type) {
	case PullBegun:
		if c := t.findContainer(ev.Container); c != nil && c.doing == Pulling && c.pullAt.IsZero() {
			c.pullAt = ev.At
		}
	case PullDone:
		c := t.findContainer(ev.Container)
		if c == nil || c.doing != Pulling {
			return nil
		}
		c.doing = Idle
		if !ev.Started.IsZero() {
			if t.PullStartedAt.IsZero() || ev.Started.Before(t.PullStartedAt) {
				t.PullStartedAt = ev.Started
			}
			if ev.Stopped.After(t.PullStoppedAt) {
				t.PullStoppedAt = ev.Stopped
			}
		}
		if ev.Err != nil {
			t.endFailed(c, now, ev.Err)
			return nil
		}
		c.Digest, c.ImageSetsRegion, c.Reason = ev.Digest, ev.SetsRegion, ev.Note
		c.Status = max(c.Status, Pulled)
	case CreateDone:
		c := t.findContainer(ev.Container)
		if c == nil || (c.doing != Creating && c.doing != Replacing) {
			return nil
		}
		c.doing = Idle
		if ev.Err != nil {
			t.endFailed(c, now, ev.Err)
			return nil
		}
		c.RuntimeID, c.Ports, c.Removing, c.Doubtful = ev.ID, ev.Ports, false, false
		c.Status = max(c.Status, Created)
	case StartDone:
		return t.applyStartDone(now, ev)
	case Exited:
		return t.applyExited(now, ev)
	case Gone:
		if c := t.findContainer(ev.Container); c != nil && c.Status < Stopped {
			t.endVanished(c, ev.At)
		}
	case Found:
		if c := t.findContainer(ev.Container); c != nil && c.Status < Stopped {
			t.applyFound(c, ev)
		}
	case OutOfMemory:
		if c := t.findContainer(ev.Container); c != nil && c.Status < Stopped {
			c.OOMAt = ev.At
		}
	case Recovered:
		return t.applyRecovered(now, ev)
	case HealthSeen:
		if c := t.findContainer(ev.Container); c != nil && c.Health != ev.Health {
			c.Health, c.HealthAt = ev.Health, ev.At
		}
	}
	return nil
}

// endVanished ends a container that the runtime no longer has.
func (t *Task) endVanished(c *Container, at time.Time) {
	c.doing = Idle
	c.Reason = failf(Vanished, "the engine no longer has the container").Error()
	t.markStopped(c, at)
}

// applyFound applies that a container has started.
func (t *Task) applyFound(c *Container, ev Found) {
	c.doing, c.Removing, c.Doubtful = Idle, false, false
	c.RuntimeID, c.Health = ev.ID, ev.Health
	if ev.Ports != nil {
		c.Ports = ev.Ports
	}
	t.markRunning(c, ev.StartedAt)
}

// applyStartDone applies the outcome of a start.
func (t *Task) applyStartDone(now time.Time, ev StartDone) []Action {
	c := t.findContainer(ev.Container)
	if c == nil || c.doing != Starting {
		return nil
	}
	c.doing = Idle
	early := c.early
	c.early = nil
	if ev.Err != nil {
		d := t.findDefinition(c.Name)
		if ev.PortTaken && c.Status == Created && d != nil && hasDynamicPorts(d) && c.PortTries < maxPortTries && t.Desired == acs.StatusRunning {
			c.PortTries++
			c.doing, c.Ports, c.Removing = Replacing, nil, true
			return []Action{Replace{c.Name}}
		}
		t.endFailed(c, now, ev.Err)
		return nil
	}
	if ev.Ports != nil {
		c.Ports = ev.Ports
	}
	c.LastStart = ev.At
	t.markRunning(c, ev.At)
	if early != nil {
		return t.applyExited(now, *early)
	}
	return nil
}

// markRunning records that a container runs since at.
func (t *Task) markRunning(c *Container, at time.Time) {
	c.Status = max(c.Status, Running)
	if c.StartedAt.IsZero() {
		c.StartedAt = at
	}
	if c.LastStart.IsZero() {
		c.LastStart = at
	}
}

// applyExited applies the end of a container. Its restart policy may restart it.
func (t *Task) applyExited(now time.Time, ev Exited) []Action {
	c := t.findContainer(ev.Container)
	if c == nil || c.Status == Stopped {
		return nil
	}
	if c.doing == Starting {
		// The start's own answer is still to come, and it decides: a runtime may report
		// a failed start as an exit as well.
		c.early = &ev
		return nil
	}
	if c.Status < Running { // recovery: it started and ended unseen
		t.markRunning(c, ev.At)
	}
	d := t.findDefinition(c.Name)
	if d != nil && t.Desired == acs.StatusRunning && c.doing != Stopping && shouldRestart(d.RestartPolicy, ev.Code, ev.At.Sub(c.LastStart)) {
		c.Restarts++
		c.doing, c.OOMAt = Starting, time.Time{}
		return []Action{Restart{c.Name}}
	}
	code := ev.Code
	c.ExitCode = &code
	if c.endedForMemory(ev) {
		c.Reason = OOMError + ": " + oomText
	}
	c.doing = Idle
	t.markStopped(c, ev.At)
	return nil
}

// shouldRestart reports whether a restart policy restarts a container that ended with code
// after it ran for ran.
func shouldRestart(p *acs.RestartPolicy, code int, ran time.Duration) bool {
	return p != nil && p.Enabled && !slices.Contains(p.IgnoredExitCodes, code) &&
		ran >= time.Duration(p.RestartAttemptPeriod)*time.Second
}

// endFailed ends a container after a failed operation.
func (t *Task) endFailed(c *Container, now time.Time, err *Failure) {
	c.doing, c.Removing, c.Doubtful, c.Reason = Idle, false, false, err.Error()
	t.markStopped(c, now)
}

// markStopped records a container's end. The end of an essential container stops the task.
func (t *Task) markStopped(c *Container, at time.Time) {
	c.Status, c.FinishedAt = Stopped, at
	d := t.findDefinition(c.Name)
	if d != nil && d.Essential && t.Desired == acs.StatusRunning {
		t.applyOrder(at, Order{Desired: acs.StatusStopped})
	}
}

// advance returns the actions that are possible now.
func (t *Task) advance(now time.Time) []Action {
	var acts []Action
	if t.Desired == acs.StatusStopped {
		acts = t.bringDown(now)
	} else if t.Admitted {
		acts = t.bringUp(now)
		if t.Desired == acs.StatusStopped { // an essential container failed on the way
			acts = append(acts, t.bringDown(now)...)
		}
	}
	if t.StoppedAt.IsZero() && t.Status() == Stopped && t.isIdle() {
		t.StoppedAt = now
		acts = append(acts, Finish{})
	}
	return acts
}

// bringUp returns the actions that bring the task's containers further.
func (t *Task) bringUp(now time.Time) []Action {
	if !t.Provisioned {
		if t.provisioning {
			return nil
		}
		t.provisioning = true
		return []Action{Provision{}}
	}
	var acts []Action
	for _, c := range t.Containers {
		if c.doing != Idle {
			continue
		}
		switch c.Status {
		case None:
			c.doing = Pulling
			acts = append(acts, Pull{c.Name})
		case Pulled:
			ready, wait, err := t.checkDependencies(c, now)
			switch {
			case err != nil:
				t.endFailed(c, now, err)
			case ready:
				c.doing = Creating
				acts = append(acts, Create{c.Name})
			case !wait.IsZero():
				acts = append(acts, After{At: wait})
			}
		case Created:
			c.doing = Starting
			acts = append(acts, Start{c.Name})
		}
	}
	return acts
}

// bringDown returns the actions that stop the task's containers. A container stops after
// those that depend on it.
func (t *Task) bringDown(now time.Time) []Action {
	var acts []Action
	for _, c := range t.Containers {
		switch {
		case c.Status == Stopped:
		case c.doing == Pulling:
			acts = append(acts, CancelPull{c.Name})
		case c.doing != Idle:
		case c.Status < Running:
			if c.Status == None && t.Reason == "" && c.Reason == "" {
				c.Reason = failf(StoppedPrePull, "Task stopped before image pull could begin for task: %s", t.Payload.Arn).Error()
			}
			c.Status, c.FinishedAt = Stopped, now
		case !t.isNeeded(c):
			c.doing, c.stopAt = Stopping, now
			acts = append(acts, Stop{c.Name})
		}
	}
	return acts
}

// isNeeded reports whether a container that depends on c has not stopped.
func (t *Task) isNeeded(c *Container) bool {
	for _, o := range t.Containers {
		if o == c || o.Status == Stopped {
			continue
		}
		if d := t.findDefinition(o.Name); d != nil {
			for _, dep := range dependencies(d) {
				if dep.ContainerName == c.Name && (o.Status == Running || o.doing != Idle) {
					return true
				}
			}
		}
	}
	return false
}

// checkDependencies reports whether c's dependencies are met. If some have time limits,
// wait is when the first limit ends; it is zero if it was returned before. err is why the
// dependencies can never be met.
func (t *Task) checkDependencies(c *Container, now time.Time) (ready bool, wait time.Time, err *Failure) {
	d := t.findDefinition(c.Name)
	ready = true
	for _, dep := range dependencies(d) {
		o := t.findContainer(dep.ContainerName)
		met, never := checkCondition(o, dep.Condition)
		if met {
			continue
		}
		ready = false
		if never != "" {
			return false, wait, dependencyFailure(dep, never)
		}
		limit := t.findDefinition(o.Name).StartTimeout
		if limit <= 0 || o.StartedAt.IsZero() {
			continue
		}
		end := o.StartedAt.Add(time.Duration(limit) * time.Second)
		if !now.Before(end) {
			return false, wait, dependencyFailure(dep, "has timed out")
		}
		if wait.IsZero() || end.Before(wait) {
			wait = end
		}
	}
	if ready {
		return true, time.Time{}, nil
	}
	if wait.Equal(c.timeout) { // the timer runs already
		return false, time.Time{}, nil
	}
	c.timeout = wait
	return false, wait, nil
}

func dependencyFailure(dep acs.Dependency, what string) *Failure {
	return failf(CannotStart, "dependency graph: failed to resolve container ordering dependency [%s:%s] as dependency %s.", dep.ContainerName, dep.Condition, what)
}

// checkCondition reports whether container o meets a condition, or why it never will. A
// container that ended before it reached the condition never meets it.
func checkCondition(o *Container, cond string) (met bool, never string) {
	const neverStarts = "will never start"
	ended := func(met bool) (bool, string) {
		if met || o.Status < Stopped {
			return met, ""
		}
		return false, neverStarts
	}
	switch cond {
	case acs.ConditionCreate:
		return ended(o.Status >= Created && o.RuntimeID != "")
	case acs.ConditionStart:
		return ended(o.Status >= Running && !o.StartedAt.IsZero())
	case acs.ConditionComplete:
		return ended(o.Status == Stopped && o.ExitCode != nil)
	case acs.ConditionSuccess:
		if o.Status != Stopped {
			return false, ""
		}
		if o.ExitCode != nil && *o.ExitCode == 0 {
			return true, ""
		}
		return false, "did not exit successfully"
	case acs.ConditionHealthy:
		if o.Status == Stopped {
			return false, "has exited"
		}
		return o.Status == Running && o.Health == runtime.Healthy, ""
	default:
		return false, fmt.Sprintf("has unknown condition %q", cond)
	}
}
