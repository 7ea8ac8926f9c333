package fleet

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// ServiceStatus is a service's status: ACTIVE, after its deletion DRAINING while it has
// tasks, then INACTIVE.
type ServiceStatus string

const (
	ServiceActive   ServiceStatus = "ACTIVE"
	ServiceDraining ServiceStatus = "DRAINING"
	ServiceInactive ServiceStatus = "INACTIVE"
)

// Service is the desired state of a service, written by people. The scheduler writes
// the actual state into a ServiceState.
type Service struct {
	Cluster   string        `json:"cluster"`
	Name      string        `json:"name"`
	ID        string        `json:"id"` // unique for each creation under the same name
	Status    ServiceStatus `json:"status"`
	CreatedAt time.Time     `json:"createdAt"`
	CreatedBy string        `json:"createdBy,omitempty"` // ARN
	DeletedAt time.Time     `json:"deletedAt,omitzero"`

	Scheduling    types.SchedulingStrategy          `json:"scheduling"`
	DesiredCount  int                               `json:"desiredCount"` // of a REPLICA service
	Configuration *types.DeploymentConfiguration    `json:"configuration,omitempty"`
	GracePeriod   *int32                            `json:"healthCheckGracePeriodSeconds,omitempty"`
	Constraints   []types.PlacementConstraint       `json:"constraints,omitzero"`
	Strategies    []types.PlacementStrategy         `json:"strategies,omitempty"`
	Rebalancing   types.AvailabilityZoneRebalancing `json:"rebalancing,omitempty"`
	PropagateTags types.PropagateTags               `json:"propagateTags,omitempty"`
	ManagedTags   bool                              `json:"managedTags,omitzero"`
	Tags          []types.Tag                       `json:"tags,omitempty"`

	// Deployment is the id of the PRIMARY deployment, the newest one. Deployments
	// counts all deployments that there ever were. The newest has that number.
	Deployment  string `json:"deployment"`
	Deployments int64  `json:"deployments"`

	// ClientToken and Request are hashes of the token and the parameters of the request
	// that made the service. A retry finds the same service.
	ClientToken string `json:"clientToken,omitempty"`
	Request     string `json:"request,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// ServiceState is the state that the scheduler writes for a service.
type ServiceState struct {
	// Service is the ID of the service to which the state belongs. A new service with
	// the same name starts with a new state. Only the numbers of its events go on.
	Service string `json:"service"`
	Events  int64  `json:"events"` // number of the newest event
	// Steady says that the last event reports the steady state.
	Steady   bool      `json:"steady,omitzero"`
	SteadyAt time.Time `json:"steadyAt,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// ServiceEvent is a line of a service's history.
type ServiceEvent struct {
	Number  int64     `json:"number"`
	ID      string    `json:"id"` // in UUID form
	At      time.Time `json:"at"`
	Message string    `json:"message"`
	// Type (INFO, WARN, ERROR) and Name (SERVICE_STEADY_STATE …) are those of the "ECS
	// Service Action" event about the same change. They are empty if ECS has no such
	// event.
	Type   string `json:"type,omitempty"`
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason,omitempty"` // of a failure, for people and programs

	Extra jsontext.Value `json:",embed"`
}

// ServiceRevision is what the service's tasks are made from. It is immutable.
type ServiceRevision struct {
	Cluster   string    `json:"cluster"`
	Service   string    `json:"service"`
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"createdAt"`

	Family               string                               `json:"family"`
	Revision             int                                  `json:"revision"`
	LaunchType           types.LaunchType                     `json:"launchType,omitempty"`
	CapacityProviders    []types.CapacityProviderStrategyItem `json:"capacityProviders,omitempty"`
	PlatformVersion      string                               `json:"platformVersion,omitempty"`
	PlatformFamily       string                               `json:"platformFamily,omitempty"`
	Network              *types.NetworkConfiguration          `json:"network,omitempty"`
	Volumes              []types.ServiceVolumeConfiguration   `json:"volumes,omitempty"`
	EnableExecuteCommand bool                                 `json:"enableExecuteCommand,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// groupService is the prefix of the group of a service's tasks. startedByService is the
// prefix of their StartedBy.
const (
	groupService     = "service:"
	startedByService = "ecs-svc/"
)

// ServiceGroup returns the group of a service's tasks.
func ServiceGroup(service string) string { return groupService + service }

// DeploymentStarter returns the StartedBy of a deployment's tasks.
func DeploymentStarter(deployment string) string { return startedByService + deployment }

// Service returns the name of the service that the task belongs to, or "".
func (t *Task) Service() string {
	name, _ := strings.CutPrefix(t.Group, groupService)
	if len(name) == len(t.Group) {
		return ""
	}
	return name
}

// Deployment returns the id of the deployment that the task belongs to, or "".
func (t *Task) Deployment() string {
	id, _ := strings.CutPrefix(t.StartedBy, startedByService)
	if len(id) == len(t.StartedBy) {
		return ""
	}
	return id
}
