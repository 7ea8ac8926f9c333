package fleet

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// InstanceStatus is the status that the control plane sets for a container instance.
type InstanceStatus string

const (
	InstanceActive        InstanceStatus = "ACTIVE"
	InstanceDraining      InstanceStatus = "DRAINING"
	InstanceDeregistering InstanceStatus = "DEREGISTERING"
	InstanceInactive      InstanceStatus = "INACTIVE"
)

// Instance is a host that has registered in a cluster.
type Instance struct {
	Cluster      string            `json:"cluster"`
	ID           string            `json:"id"`
	Status       InstanceStatus    `json:"status"`
	StatusReason string            `json:"statusReason,omitempty"`
	RegisteredAt time.Time         `json:"registeredAt"`
	Registered   Capacity          `json:"registered"`
	Resources    []types.Resource  `json:"resources,omitempty"` // as the agent sent them
	Attributes   []types.Attribute `json:"attributes,omitempty"`
	Tags         []types.Tag       `json:"tags,omitempty"`
	// ClientToken is the token of the registration that made the record. A retry of the
	// registration finds the same instance.
	ClientToken string `json:"clientToken,omitempty"`
	// Principal is the ARN of the host's principal. Only that principal may report for
	// this instance.
	Principal string `json:"principal,omitempty"`
	// Machine is the id of the instance's machine, once it is known; see EC2InstanceID.
	Machine string `json:"machine,omitempty"`
	// Versions are the versions that the agent reported at its last connection.
	Versions VersionInfo `json:"versions,omitzero"`
	// Boot is the AgentRun.Boot of the agent's last connection, if the agent sent one.
	Boot string `json:"boot,omitempty"`
	// Duplicate is the last agent that came with this instance's identity while another
	// agent was connected.
	Duplicate *DuplicateAgent `json:"duplicate,omitempty"`
	// Version is ECS's version of the instance. It grows with each change of the
	// record.
	Version int64 `json:"version"`
	// InactiveSince is about when the instance became INACTIVE. Only the reaper writes
	// it.
	InactiveSince time.Time `json:"inactiveSince,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// InstanceSession says that an instance's agent is connected, and to which server. The
// record lives under that server's lease, so it ends with the server.
type InstanceSession struct {
	Server       string    `json:"server"`
	Connection   string    `json:"connection"` // unique for each connection
	AgentVersion string    `json:"agentVersion,omitempty"`
	AgentHash    string    `json:"agentHash,omitempty"`
	Docker       string    `json:"dockerVersion,omitempty"`
	ConnectedAt  time.Time `json:"connectedAt"`
	// Since is when the agent first connected, if it has reconnected since then without
	// being away. Zero means ConnectedAt.
	Since time.Time `json:"since,omitzero"`
	Run   AgentRun  `json:"run,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// ConnectedSince returns since when the agent has been connected.
func (s *InstanceSession) ConnectedSince() time.Time {
	if s.Since.IsZero() {
		return s.ConnectedAt
	}
	return s.Since
}

// InstanceHealth is an instance's last reported health. It is written only when it
// changes.
type InstanceHealth struct {
	Checks []HealthCheck `json:"checks"`

	Extra jsontext.Value `json:",embed"`
}

// EngineUnreachable says that the instance's agent certainly can't reach its container
// engine. No task can start there then.
func (h *InstanceHealth) EngineUnreachable() bool {
	return h != nil && slices.ContainsFunc(h.Checks, func(c HealthCheck) bool {
		return c.Type == types.InstanceHealthCheckTypeContainerRuntime && c.Status == types.InstanceHealthCheckStateImpaired
	})
}

// HealthCheck is the result of one check.
type HealthCheck struct {
	Type      types.InstanceHealthCheckType  `json:"type"`
	Status    types.InstanceHealthCheckState `json:"status"`
	ChangedAt time.Time                      `json:"changedAt"` // by the host's clock
	WrittenAt time.Time                      `json:"writtenAt"`
}

// Former returns the part of a deregistered instance that is kept: its identity and its
// end.
func (i *Instance) Former() Instance {
	next := *i
	next.Machine = i.EC2InstanceID() // an attribute may have the id
	next.Resources, next.Attributes, next.Tags, next.ClientToken = nil, nil, nil, ""
	next.Registered.ReservedPorts, next.Registered.GPUs = nil, nil
	return next
}

// IsFormer says whether only that part is left.
func (i *Instance) IsFormer() bool {
	return len(i.Resources)+len(i.Attributes)+len(i.Tags)+len(i.ClientToken)+len(i.Registered.ReservedPorts)+len(i.Registered.GPUs) == 0
}

// Attribute returns the value of an attribute and whether the instance has it.
func (i *Instance) Attribute(name string) (string, bool) {
	for k := range i.Attributes {
		if a := &i.Attributes[k]; a.Name != nil && *a.Name == name {
			if a.Value == nil {
				return "", true
			}
			return *a.Value, true
		}
	}
	return "", false
}
