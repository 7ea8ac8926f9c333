package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/link/acs"
)

// Report is one SubmitTaskStateChange. Seq orders the reports of a task.
type Report struct {
	Seq                int64             `json:"seq"`
	TaskArn            string            `json:"taskArn"`
	Status             string            `json:"status"`
	Reason             string            `json:"reason,omitempty"`
	PullStartedAt      time.Time         `json:"pullStartedAt,omitzero"`
	PullStoppedAt      time.Time         `json:"pullStoppedAt,omitzero"`
	ExecutionStoppedAt time.Time         `json:"executionStoppedAt,omitzero"`
	Containers         []ContainerReport `json:"containers,omitempty"`
}

// ContainerReport is one container's part of it.
type ContainerReport struct {
	Name      string    `json:"name"`
	RuntimeID string    `json:"runtimeId,omitempty"`
	Status    string    `json:"status"`
	ExitCode  *int      `json:"exitCode,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Ports     []Binding `json:"ports,omitempty"`
}

// Limits of ECS on what a report may hold.
const (
	maxReason = 1024
	maxID     = 255
)

// changesDelay is how long changes that alter nothing at the task's own level
// wait for company.
const changesDelay = 2 * time.Second

var rank = map[string]int{"": 0, acs.StatusPending: 1, acs.StatusRunning: 2, acs.StatusStopped: 3}

// report queues what the state asks for and returns the actions for it.
func (t *Task) report(now time.Time) []Action {
	status := t.Status()
	wire := status.Wire()
	switch {
	case rank[wire] <= rank[t.Sent]:
		if !t.changed() || wire == acs.StatusStopped {
			return nil
		}
		if t.changesDue {
			return nil
		}
		t.changesDue = true
		return []Action{After{At: now.Add(changesDelay)}}
	case wire == acs.StatusPending && !t.resolved():
		return nil
	case wire == acs.StatusRunning && t.Desired == acs.StatusStopped:
		return nil // it never ran as a whole, and will not
	}
	return t.queue(wire)
}

// changed: something is not reported yet.
func (t *Task) changed() bool {
	return slices.ContainsFunc(t.Containers, func(c *Container) bool { return rank[c.Status.Wire()] > rank[c.Reported] && c.Status >= Running })
}

// resolved: all images are known, and one came from a registry by way of a pull.
func (t *Task) resolved() bool {
	any := false
	for _, c := range t.Containers {
		if c.Status < Pulled {
			return false
		}
		any = any || c.Digest != ""
	}
	return any && !t.PullStartedAt.IsZero()
}

func (t *Task) queue(wire string) []Action {
	r := Report{
		Seq: t.NextSeq, TaskArn: t.Payload.Arn, Status: wire,
		PullStartedAt: t.PullStartedAt, PullStoppedAt: t.PullStoppedAt, ExecutionStoppedAt: t.ExecutionStoppedAt,
	}
	if wire == acs.StatusStopped {
		r.Reason = clip(t.Reason, maxReason)
	}
	for _, c := range t.Containers {
		cw := c.Status.Wire()
		if rank[cw] <= rank[c.Reported] && wire != acs.StatusStopped {
			continue
		}
		c.Reported = cw
		cr := ContainerReport{
			Name: c.Name, RuntimeID: clip(c.RuntimeID, maxID), Status: cw, ExitCode: c.ExitCode,
			Digest: clip(c.Digest, maxID), Reason: clip(c.Reason, maxReason),
		}
		if c.Status >= Running && !c.StartedAt.IsZero() {
			cr.Ports = bindings(t.definition(c.Name), c.Ports)
		}
		r.Containers = append(r.Containers, cr)
	}
	t.NextSeq++
	t.Sent = wire
	// A PENDING report that nobody has taken yet says nothing that its
	// successor does not.
	if n := len(t.Reports); n > 0 && t.Reports[n-1].Status == acs.StatusPending && (n > 1 || !t.sending) {
		t.Reports = t.Reports[:n-1]
	}
	t.Reports = append(t.Reports, r)
	return []Action{Notify{}}
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // not inside a rune
		n--
	}
	return s[:n]
}

// Failure is an error in ECS's words: "<Name>: <text>".
type Failure struct{ Name, Text string }

func (f *Failure) Error() string { return f.Name + ": " + f.Text }

// The names that the engine uses.
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
	Unrecognised    = "UnrecogniedTaskError" // spelt exactly so
	TaskState       = "TaskStateError"
	oomText         = "Container killed due to memory usage"
	unresolvable    = "Task dependencies cannot be resolved, taskArn: %s"
	cannotInit      = "resource cannot be initialized for task %s: %s"
	unknownStopText = "Agent could not progress task's state to stopped"
)

func failf(name, format string, args ...any) *Failure {
	return &Failure{name, fmt.Sprintf(format, args...)}
}
