package engine

import (
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Status of a container; it only grows.
type Status int

// The statuses in order.
const (
	None Status = iota
	Pulled
	Created
	Running
	Stopped
)

// Wire is the status as reported.
func (s Status) Wire() string {
	switch {
	case s < Running:
		return acs.StatusPending
	case s == Running:
		return acs.StatusRunning
	default:
		return acs.StatusStopped
	}
}

// Op is what is being done to a container right now.
type Op string

// The operations; Idle is none.
const (
	Idle      Op = ""
	Pulling   Op = "pull"
	Creating  Op = "create"
	Starting  Op = "start"
	Replacing Op = "replace" // remove it, never started, and create it anew
	Stopping  Op = "stop"
	// Recovering: the engine has not been asked yet what became of it.
	Recovering Op = "recover"
)

// Task is a task's whole state, as journaled.
type Task struct {
	Payload    acs.Task     `json:"payload"` // without credentials
	Desired    string       `json:"desired"` // RUNNING or STOPPED
	Admitted   bool         `json:"admitted,omitempty"`
	Reason     string       `json:"reason,omitempty"` // of the task as a whole
	Containers []*Container `json:"containers"`

	// Provisioned: all of its resources are there. An agent of the version before
	// this one knows nothing else of them: where it is false that agent provides
	// them all again, which makes no second ones, and it always releases them all.
	Provisioned bool `json:"provisioned,omitempty"`
	// Resources are those that were provided or released, by name. The map is
	// replaced, never changed.
	Resources map[string]ResourceRecord `json:"resources,omitempty"`

	AcceptedAt         time.Time `json:"acceptedAt,omitzero"`
	PullStartedAt      time.Time `json:"pullStartedAt,omitzero"`
	PullStoppedAt      time.Time `json:"pullStoppedAt,omitzero"`
	ExecutionStoppedAt time.Time `json:"executionStoppedAt,omitzero"`
	StoppedAt          time.Time `json:"stoppedAt,omitzero"`

	Sent    string   `json:"sent,omitempty"`    // highest status in a report
	Reports []Report `json:"reports,omitempty"` // not delivered yet, oldest first
	NextSeq int64    `json:"nextSeq,omitempty"`
	// EndDelivered: the STOPPED report was delivered, clean-up waits for its time.
	EndDelivered bool `json:"buried,omitempty"`

	provisioning  bool
	changesDue    bool   // a timer for waiting changes runs
	reportedPulls string // the pulls that the last report named
	sending       bool   // Reports[0] is on its way
}

// Container is a container's state.
type Container struct {
	Name       string         `json:"name"`
	Status     Status         `json:"status"`
	RuntimeID  string         `json:"runtimeId,omitempty"`
	Digest     string         `json:"digest,omitempty"`
	ExitCode   *int           `json:"exitCode,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Ports      []runtime.Port `json:"ports,omitempty"`
	StartedAt  time.Time      `json:"startedAt,omitzero"`
	FinishedAt time.Time      `json:"finishedAt,omitzero"`
	LastStart  time.Time      `json:"lastStart,omitzero"` // first start or last restart
	Restarts   int            `json:"restarts,omitempty"`
	OOMAt      time.Time      `json:"oomAt,omitzero"` // when a process in it was last killed for its memory, since LastStart
	Health     string         `json:"health,omitempty"`
	HealthAt   time.Time      `json:"healthAt,omitzero"`
	PortTries  int            `json:"portTries,omitempty"`
	// Removing: it is being replaced, so its absence from the engine tells only
	// that the agent was interrupted at that.
	Removing bool `json:"removing,omitempty"`
	// Doubtful: while it is being replaced, its start may be under way, asked for
	// by an earlier run of the agent. Its absence then tells that it may have run.
	Doubtful bool `json:"doubtful,omitempty"`
	// Boot is the run of the machine in which it may have been started. It is
	// durable before the start is asked for.
	Boot string `json:"boot,omitempty"`
	// ImageSetsRegion: the image's environment names a region itself.
	ImageSetsRegion bool `json:"imageSetsRegion,omitempty"`
	// Reported is the highest wire status in a report.
	Reported string `json:"reported,omitempty"`

	doing   Op
	pullAt  time.Time // since when a registry is asked for its image
	stopAt  time.Time // when Stopping began
	early   *Exited   // an exit seen before the start's own answer
	timeout time.Time // when waiting for this one's start condition ends
}

// ID is the last part of the task's ARN.
func (t *Task) ID() string { return taskID(t.Payload.Arn) }

func taskID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func (t *Task) findContainer(name string) *Container {
	for _, c := range t.Containers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// findDefinition is the payload's part for a container.
func (t *Task) findDefinition(name string) *acs.Container {
	for i := range t.Payload.Containers {
		if t.Payload.Containers[i].Name == name {
			return &t.Payload.Containers[i]
		}
	}
	return nil
}

// Status of the task: the least of its containers'.
func (t *Task) Status() Status {
	least := Stopped
	for _, c := range t.Containers {
		least = min(least, c.Status)
	}
	return least
}

func (t *Task) isIdle() bool {
	if t.provisioning {
		return false
	}
	for _, c := range t.Containers {
		if c.doing != Idle {
			return false
		}
	}
	return true
}

// NewTask begins a task from its payload. Credentials are dropped here, before
// anything is journaled.
func NewTask(p acs.Task, now time.Time) *Task {
	p.RoleCredentials, p.ExecutionRoleCredentials = nil, nil
	t := &Task{Payload: p, Desired: p.DesiredStatus, AcceptedAt: now}
	for _, c := range p.Containers {
		t.Containers = append(t.Containers, &Container{Name: c.Name})
	}
	return t
}
