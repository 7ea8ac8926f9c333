package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// TaskStatus is a task's status. It only moves forward.
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

// Order returns the status's position: a later status has a higher one.
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

// Task is a placed task, written once. A task that waits for a host (PROVISIONING) is
// stored apart from the placed ones, without Instance.
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

	// CapacityProvider is the provider whose strategy placed the task, if any.
	CapacityProvider string                          `json:"capacityProvider,omitempty"`
	PlatformVersion  string                          `json:"platformVersion,omitempty"`
	PlatformFamily   string                          `json:"platformFamily,omitempty"`
	EphemeralStorage *types.EphemeralStorage         `json:"ephemeralStorage,omitempty"`
	Network          *types.AwsVpcConfiguration      `json:"network,omitempty"`
	Volumes          []types.TaskVolumeConfiguration `json:"volumes,omitempty"`
	Constraints      []types.PlacementConstraint     `json:"constraints,omitempty"` // of a waiting task
	Strategies       []types.PlacementStrategy       `json:"strategies,omitempty"`  // of a waiting task
	// Queued is the state's revision when a waiting task began to wait. It orders the
	// waiting tasks.
	Queued int64 `json:"queued,omitzero"`

	// LogMode is how containers write their output if their log configuration doesn't
	// say: blocking or non-blocking, by the account setting of the task's creator.
	// Empty: the engine decides.
	LogMode string `json:"logMode,omitempty"`

	// Serial numbers the tasks of a service's deployment, from 1. It is 0 for other
	// tasks.
	Serial int64 `json:"serial,omitzero"`

	// Unknown says that the task's host ran it and that the restored backup did not
	// have it. The record is then built from the host's reports.
	Unknown bool `json:"unknown,omitzero"`

	EnableExecuteCommand bool   `json:"enableExecuteCommand,omitempty"`
	ReferenceID          string `json:"referenceId,omitempty"`
	// Containers has the ids (in UUID form) that ECS gives to a task's containers, in
	// the definition's order.
	Containers []TaskContainer `json:"containers,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// TaskContainer is a container of a placed task.
type TaskContainer struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// TaskStop is the control plane's order to stop a task.
type TaskStop struct {
	Code   types.TaskStopCode `json:"code"`
	Reason string             `json:"reason,omitempty"`
	At     time.Time          `json:"at"`
	// Unhealthy says that the task stops because it failed its health checks.
	Unhealthy bool `json:"unhealthy,omitzero"`
	// Lost says that the task stops because its host was out of contact for too long.
	// It was replaced elsewhere.
	Lost bool `json:"lost,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// TaskReport is the state that a task's host has reported.
type TaskReport struct {
	Status     TaskStatus        `json:"status"`
	Containers []ContainerReport `json:"containers,omitempty"`
	// StopCode and Reason are set with STOPPED. They come from the TaskStop if there is
	// one. Otherwise they are derived from the ends of the containers.
	StopCode types.TaskStopCode `json:"stopCode,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	// Pulls are the running image pulls of a PENDING task, if its agent reports them.
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

// ContainerReport is the state that a task's host has reported for one of its
// containers.
type ContainerReport struct {
	Name            string                 `json:"name"`
	Status          TaskStatus             `json:"status"`
	ExitCode        *int32                 `json:"exitCode,omitempty"`
	Reason          string                 `json:"reason,omitempty"`
	RuntimeID       string                 `json:"runtimeId,omitempty"`
	ImageDigest     string                 `json:"imageDigest,omitempty"`
	NetworkBindings []types.NetworkBinding `json:"networkBindings,omitempty"`
}

// Token has the result of a request with a clientToken, so that a retry gets the same
// answer.
type Token struct {
	Operation string    `json:"operation"`
	Request   string    `json:"request"` // hash of the request's parameters
	Tasks     []string  `json:"tasks,omitempty"`
	Failures  []Failure `json:"failures,omitempty"`
	CreatedAt time.Time `json:"createdAt"`

	Extra jsontext.Value `json:",embed"`
}

// Failure is a resource for which a request failed, as in ECS's failures lists.
type Failure struct {
	ARN    string `json:"arn,omitempty"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}
