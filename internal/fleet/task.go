package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// TaskStatus is a task's place in its life. It only moves forward.
type TaskStatus string

const (
	TaskProvisioning   TaskStatus = "PROVISIONING"
	TaskPending        TaskStatus = "PENDING"
	TaskActivating     TaskStatus = "ACTIVATING"
	TaskRunning        TaskStatus = "RUNNING"
	TaskDeactivating   TaskStatus = "DEACTIVATING"
	TaskStopping       TaskStatus = "STOPPING"
	TaskDeprovisioning TaskStatus = "DEPROVISIONING"
	TaskStopped        TaskStatus = "STOPPED"
)

// Order returns the status's place: a higher one is later.
func (s TaskStatus) Order() int {
	switch s {
	case TaskProvisioning:
		return 1
	case TaskPending:
		return 2
	case TaskActivating:
		return 3
	case TaskRunning:
		return 4
	case TaskDeactivating:
		return 5
	case TaskStopping:
		return 6
	case TaskDeprovisioning:
		return 7
	case TaskStopped:
		return 8
	}
	return 0
}

// Task is what was placed, written once. One that waits for a host, PROVISIONING,
// is kept apart from those placed, without Instance.
type Task struct {
	Cluster    string              `json:"cluster"`
	ID         string              `json:"id"`
	Instance   string              `json:"instance"` // id of its container instance
	Family     string              `json:"family"`
	Revision   int                 `json:"revision"`
	LaunchType types.LaunchType    `json:"launchType"`
	CreatedAt  time.Time           `json:"createdAt"`
	Group      string              `json:"group,omitempty"`
	StartedBy  string              `json:"startedBy,omitempty"`
	Overrides  *types.TaskOverride `json:"overrides,omitempty"`
	Reserve    Reservation         `json:"reserve"`
	Tags       []types.Tag         `json:"tags,omitempty"`

	// CapacityProvider is the one whose strategy brought the task here, if any.
	CapacityProvider string                          `json:"capacityProvider,omitempty"`
	PlatformVersion  string                          `json:"platformVersion,omitempty"`
	PlatformFamily   string                          `json:"platformFamily,omitempty"`
	EphemeralStorage *types.EphemeralStorage         `json:"ephemeralStorage,omitempty"`
	Network          *types.AwsVpcConfiguration      `json:"network,omitempty"`
	Volumes          []types.TaskVolumeConfiguration `json:"volumes,omitempty"`
	Constraints      []types.PlacementConstraint     `json:"constraints,omitempty"` // of a task that waits
	Strategies       []types.PlacementStrategy       `json:"strategies,omitempty"`  // of a task that waits
	// Queued is the state's revision when a task that waits began to: the order of
	// those who wait.
	Queued int64 `json:"queued,omitzero"`

	// LogMode is how containers hand over their output where their log
	// configuration doesn't say: blocking or non-blocking, by the account setting
	// of who made the task. Empty: the engine decides.
	LogMode string `json:"logMode,omitempty"`

	// Serial counts the tasks of a service's deployment, from 1; 0 for others.
	Serial int64 `json:"serial,omitzero"`

	// Unknown says that the task's host ran it when the state was restored from a
	// backup that does not have it: what is here of it is by the host's word.
	Unknown bool `json:"unknown,omitzero"`

	EnableExecuteCommand bool   `json:"enableExecuteCommand,omitempty"`
	ReferenceID          string `json:"referenceId,omitempty"`
	// Containers holds the ids (UUID form) that ECS gives to a task's
	// containers, in the definition's order.
	Containers []TaskContainer `json:"containers,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// TaskContainer is a container of a placed task.
type TaskContainer struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// TaskStop is the control plane's wish that a task end.
type TaskStop struct {
	Code   types.TaskStopCode `json:"code"`
	Reason string             `json:"reason,omitempty"`
	At     time.Time          `json:"at"`
	// Unhealthy says that the task ends because it failed its health checks.
	Unhealthy bool `json:"unhealthy,omitzero"`
	// Lost says that the task ends because its host was out of contact for too
	// long: it was replaced elsewhere.
	Lost bool `json:"lost,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// TaskReport is what a task's host has said of it.
type TaskReport struct {
	Status     TaskStatus        `json:"status"`
	Containers []ContainerReport `json:"containers,omitempty"`
	// StopCode and Reason are set with STOPPED: those of the TaskStop where
	// there was one, else derived from how the containers ended.
	StopCode types.TaskStopCode `json:"stopCode,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	// Pulls are the pulls of a PENDING task's images that are under way, where its
	// agent tells.
	Pulls []ContainerPull `json:"pulls,omitempty"`

	Connectivity       types.Connectivity `json:"connectivity,omitempty"`
	PullStartedAt      time.Time          `json:"pullStartedAt,omitzero"`
	PullStoppedAt      time.Time          `json:"pullStoppedAt,omitzero"`
	StartedAt          time.Time          `json:"startedAt,omitzero"`
	StoppingAt         time.Time          `json:"stoppingAt,omitzero"`
	ExecutionStoppedAt time.Time          `json:"executionStoppedAt,omitzero"`
	StoppedAt          time.Time          `json:"stoppedAt,omitzero"`
	Version            int64              `json:"version"`

	Extra jsontext.Value `json:",embed"`
}

// ContainerPull is a container whose image its host is pulling.
type ContainerPull struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

// ContainerReport is what a task's host has said of one of its containers.
type ContainerReport struct {
	Name            string                 `json:"name"`
	Status          TaskStatus             `json:"status"`
	ExitCode        *int32                 `json:"exitCode,omitempty"`
	Reason          string                 `json:"reason,omitempty"`
	RuntimeID       string                 `json:"runtimeId,omitempty"`
	ImageDigest     string                 `json:"imageDigest,omitempty"`
	NetworkBindings []types.NetworkBinding `json:"networkBindings,omitempty"`
}

// Token remembers what a request's clientToken brought about, so that its
// repetition gets the same answer.
type Token struct {
	Operation string    `json:"operation"`
	Request   string    `json:"request"` // hash of the request's parameters
	Tasks     []string  `json:"tasks,omitempty"`
	Failures  []Failure `json:"failures,omitempty"`
	CreatedAt time.Time `json:"createdAt"`

	Extra jsontext.Value `json:",embed"`
}

// Failure is a resource that a request could not serve, as in ECS's failures
// lists.
type Failure struct {
	ARN    string `json:"arn,omitempty"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}
