package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/wire/acs"
)

// Report is the input of one SubmitTaskStateChange. Seq orders the reports of a task.
type Report struct {
	Seq                int64             `json:"seq"`
	TaskArn            string            `json:"taskArn"`
	Status             string            `json:"status"`
	Reason             string            `json:"reason,omitempty"`
	PullStartedAt      time.Time         `json:"pullStartedAt,omitzero"`
	PullStoppedAt      time.Time         `json:"pullStoppedAt,omitzero"`
	ExecutionStoppedAt time.Time         `json:"executionStoppedAt,omitzero"`
	Containers         []ContainerReport `json:"containers,omitempty"`
	Pulls              []PullReport      `json:"pulls,omitempty"` // all that are under way
}

// PullReport describes a container whose image is being pulled.
type PullReport struct {
	Container string    `json:"container"`
	Since     time.Time `json:"since"`
}

// ContainerReport is a container's part of a report.
type ContainerReport struct {
	Name      string    `json:"name"`
	RuntimeID string    `json:"runtimeId,omitempty"`
	Status    string    `json:"status"`
	ExitCode  *int      `json:"exitCode,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Ports     []Binding `json:"ports,omitempty"`
}

// ECS's limits for the texts of a report, in bytes.
const (
	maxReason = 1024
	maxID     = 255
)

// changesDelay is how long changes wait to be reported together, if they do not change the
// task's own status.
const changesDelay = 2 * time.Second

var rank = map[string]int{"": 0, acs.StatusPending: 1, acs.StatusRunning: 2, acs.StatusStopped: 3}

// queueReports queues the reports that the task's state requires, and returns the actions
// for them.
func (t *Task) queueReports(now time.Time) []Action {
	wire := t.reportStatus()
	news := rank[wire] > rank[t.Sent]
	if wire == acs.StatusPending {
		// A task is often PENDING only for a moment before it is RUNNING. So PENDING is
		// reported when the task's images are on the host, or together with another
		// change.
		news = news && t.Desired == acs.StatusRunning && t.allResolved()
	}
	switch {
	case wire == acs.StatusStopped && t.StoppedAt.IsZero():
		// Its resources are still being provided. A task is cleaned up after its end was
		// reported, so a resource that is created after that would never be released.
		return nil
	case news:
		return t.queueReport(wire)
	case wire == acs.StatusStopped || t.changesDue || !t.hasChanges():
		return nil
	}
	t.changesDue = true
	return []Action{After{At: now.Add(changesDelay)}}
}

// reportStatus returns the task's status as reported. A task that is to stop before all of
// its containers have started was never RUNNING.
func (t *Task) reportStatus() string {
	wire := t.Status().Wire()
	if wire == acs.StatusRunning && t.Desired == acs.StatusStopped && rank[t.Sent] < rank[wire] {
		return acs.StatusPending
	}
	return wire
}

// hasChanges reports whether something is not reported yet.
func (t *Task) hasChanges() bool {
	return t.pullNames() != t.reportedPulls ||
		slices.ContainsFunc(t.Containers, func(c *Container) bool { return rank[c.Status.Wire()] > rank[c.Reported] && c.Status >= Running })
}

// runningPulls returns the pulls from registries that are under way.
func (t *Task) runningPulls() (list []PullReport) {
	for _, c := range t.Containers {
		if c.doing == Pulling && !c.pullAt.IsZero() {
			list = append(list, PullReport{c.Name, c.pullAt})
		}
	}
	return list
}

// pullNames returns the names of the containers with a running pull, as one string.
func (t *Task) pullNames() string {
	var b strings.Builder
	for _, p := range t.runningPulls() {
		b.WriteString(p.Container + " ")
	}
	return b.String()
}

// allPulled reports whether the images of all containers are on the host.
func (t *Task) allPulled() bool {
	return !slices.ContainsFunc(t.Containers, func(c *Container) bool { return c.Status < Pulled })
}

// allResolved reports whether all images are on the host and at least one was pulled from
// a registry.
func (t *Task) allResolved() bool {
	digest := slices.ContainsFunc(t.Containers, func(c *Container) bool { return c.Digest != "" })
	return digest && t.allPulled() && !t.PullStartedAt.IsZero()
}

// queueReport adds a report with the given status to the queue.
func (t *Task) queueReport(wire string) []Action {
	t.withdrawPending()
	r := Report{
		Seq: t.NextSeq, TaskArn: t.Payload.Arn, Status: wire,
		PullStartedAt: t.PullStartedAt, ExecutionStoppedAt: t.ExecutionStoppedAt, Pulls: t.runningPulls(),
	}
	for _, p := range r.Pulls {
		if r.PullStartedAt.IsZero() || p.Since.Before(r.PullStartedAt) {
			r.PullStartedAt = p.Since
		}
	}
	if t.allPulled() { // the server stores only the first time that is reported
		r.PullStoppedAt = t.PullStoppedAt
	}
	if wire == acs.StatusStopped {
		r.Reason = truncate(t.Reason, maxReason)
	}
	t.reportedPulls = t.pullNames()
	for _, c := range t.Containers {
		cw := c.Status.Wire()
		if rank[cw] <= rank[c.Reported] && wire != acs.StatusStopped {
			continue
		}
		c.Reported = cw
		r.Containers = append(r.Containers, t.containerReport(c))
	}
	t.NextSeq++
	t.Sent = wire
	t.Reports = append(t.Reports, r)
	return []Action{Notify{}}
}

// withdrawPending removes the last report if it is a PENDING report that is not being
// sent. The next report repeats its content.
func (t *Task) withdrawPending() {
	n := len(t.Reports) - 1
	if n < 0 || t.Reports[n].Status != acs.StatusPending || n == 0 && t.sending {
		return
	}
	for _, reported := range t.Reports[n].Containers {
		if c := t.findContainer(reported.Name); c != nil {
			c.Reported = ""
		}
	}
	t.Reports = t.Reports[:n]
}

// truncate shortens s to at most n bytes, at the boundary of a rune.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // not inside a rune
		n--
	}
	return s[:n]
}

// Failure is an error in ECS's form "<Name>: <text>".
type Failure struct{ Name, Text string }

func (f *Failure) Error() string { return f.Name + ": " + f.Text }

// The names of failures, and texts, as ECS's agent has them.
const (
	CannotPull      = "CannotPullContainerError"
	CannotCreate    = "CannotCreateContainerError"
	CannotStart     = "CannotStartContainerError"
	CannotStop      = "CannotStopContainerError"
	CannotInspect   = "CannotInspectContainerError"
	OOMError        = "OutOfMemoryError"
	HostConfig      = "HostConfigError"
	ClientConfig    = "DockerClientConfigError"
	TimedOut        = "DockerTimeoutError"
	Vanished        = "ContainerVanishedError"
	StoppedPrePull  = "TaskStoppedBeforePullBeginError"
	Unrecognised    = "UnrecogniedTaskError" // ECS's own spelling
	TaskState       = "TaskStateError"
	oomText         = "Container killed due to memory usage"
	unresolvable    = "Task dependencies cannot be resolved, taskArn: %s"
	cannotInit      = "resource cannot be initialized for task %s: %s"
	unknownStopText = "Agent could not progress task's state to stopped"
)

// failf returns a Failure with a formatted text.
func failf(name, format string, args ...any) *Failure {
	return &Failure{name, fmt.Sprintf(format, args...)}
}
