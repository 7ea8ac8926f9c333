package engine

import (
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Status is the status of a container. It only grows.
type Status int

// The statuses, in order.
const (
	None Status = iota
	Pulled
	Created
	Running
	Stopped
)

// Wire returns the status as reports name it.
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

// Op is an operation that runs on a container right now.
type Op string

// The operations. Idle means that none runs.
const (
	Idle      Op = ""
	Pulling   Op = "pull"
	Creating  Op = "create"
	Starting  Op = "start"
	Replacing Op = "replace" // remove a container that never started, and create it again
	Stopping  Op = "stop"
	// Recovering: the agent has restarted and has not yet asked the runtime about the
	// container.
	Recovering Op = "recover"
)

// Task is a task's whole state, as the journal stores it.
type Task struct {
	Payload    acs.Task     `json:"payload"` // without credentials
	Desired    string       `json:"desired"` // RUNNING or STOPPED
	Admitted   bool         `json:"admitted,omitempty"`
	Reason     string       `json:"reason,omitempty"` // of the whole task
	Containers []*Container `json:"containers"`

	// Provisioned: all of the task's resources exist. Agents one version older know
	// only this field. If it is false, they provide all resources again, which creates
	// no second ones. They always release all of them.
	Provisioned bool `json:"provisioned,omitempty"`
	// Resources are the resources that were provided or released, by name. The map is
	// replaced, never changed.
	Resources map[string]ResourceRecord `json:"resources,omitempty"`

	AcceptedAt         time.Time `json:"acceptedAt,omitzero"`
	PullStartedAt      time.Time `json:"pullStartedAt,omitzero"`
	PullStoppedAt      time.Time `json:"pullStoppedAt,omitzero"`
	ExecutionStoppedAt time.Time `json:"executionStoppedAt,omitzero"`
	StoppedAt          time.Time `json:"stoppedAt,omitzero"`

	Sent    string   `json:"sent,omitempty"`    // highest status in a report so far
	Reports []Report `json:"reports,omitempty"` // not delivered yet, oldest first
	NextSeq int64    `json:"nextSeq,omitempty"`
	// EndDelivered: the STOPPED report was delivered, and the clean-up waits for its
	// time.
	EndDelivered bool `json:"buried,omitempty"`

	provisioning  bool
	changesDue    bool   // a timer runs after which waiting changes are reported
	reportedPulls string // the pulls that the last report named
	sending       bool   // Reports[0] is being sent
}

// Container is the state of a container.
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
	LastStart  time.Time      `json:"lastStart,omitzero"` // time of the first start or of the last restart
	Restarts   int            `json:"restarts,omitempty"`
	OOMAt      time.Time      `json:"oomAt,omitzero"` // when a process in it was last killed for lack of memory, since LastStart
	Health     string         `json:"health,omitempty"`
	HealthAt   time.Time      `json:"healthAt,omitzero"`
	PortTries  int            `json:"portTries,omitempty"`
	// Removing: it is being replaced. If the runtime does not have it, that only means
	// that the agent was interrupted during the replacement.
	Removing bool `json:"removing,omitempty"`
	// Doubtful: it is being replaced, and a start that an earlier run of the agent sent
	// may still be under way. If the runtime does not have it, it may have run.
	Doubtful bool `json:"doubtful,omitempty"`
	// Boot identifies the boot of the machine in which it may have been started. It is
	// durable before the start is sent.
	Boot string `json:"boot,omitempty"`
	// ImageSetsRegion: the image's environment sets an AWS region.
	ImageSetsRegion bool `json:"imageSetsRegion,omitempty"`
	// Reported is the highest status in a report so far.
	Reported string `json:"reported,omitempty"`

	doing   Op
	pullAt  time.Time // since when a registry is asked for its image; zero: none is
	stopAt  time.Time // when Stopping began
	early   *Exited   // an exit that came before the answer to the start
	timeout time.Time // when the wait for this container's start condition ends
}

// ID returns the last part of the task's ARN.
func (t *Task) ID() string { return taskID(t.Payload.Arn) }

func taskID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// findContainer returns the container of that name, or nil.
func (t *Task) findContainer(name string) *Container {
	for _, c := range t.Containers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// findDefinition returns a container's part of the payload, or nil.
func (t *Task) findDefinition(name string) *acs.Container {
	for i := range t.Payload.Containers {
		if t.Payload.Containers[i].Name == name {
			return &t.Payload.Containers[i]
		}
	}
	return nil
}

// Status returns the lowest status of the task's containers.
func (t *Task) Status() Status {
	least := Stopped
	for _, c := range t.Containers {
		least = min(least, c.Status)
	}
	return least
}

// isIdle reports whether no operation runs for the task.
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

// NewTask creates a task from its payload. It removes the credentials, before anything is
// journaled.
func NewTask(p acs.Task, now time.Time) *Task {
	p.RoleCredentials, p.ExecutionRoleCredentials = nil, nil
	t := &Task{Payload: p, Desired: p.DesiredStatus, AcceptedAt: now}
	for _, c := range p.Containers {
		t.Containers = append(t.Containers, &Container{Name: c.Name})
	}
	return t
}
