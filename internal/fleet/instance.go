package fleet

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// InstanceStatus is a container instance's life as the control plane wants it.
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
	// ClientToken is that of the registration that made the record: its retry
	// finds the same instance.
	ClientToken string `json:"clientToken,omitempty"`
	// Principal is the ARN of the host's own principal; it alone may report
	// for this instance.
	Principal string `json:"principal,omitempty"`
	// Machine is the id of the instance's machine, once it is settled; see
	// EC2InstanceID.
	Machine string `json:"machine,omitempty"`
	// Versions is what ran there when its agent connected last.
	Versions VersionInfo `json:"versions,omitzero"`
	// Boot is that of the agent that connected last, where it said so.
	Boot string `json:"boot,omitempty"`
	// Duplicate is the last agent that came with this instance's identity beside the
	// one that was connected.
	Duplicate *DuplicateAgent `json:"duplicate,omitempty"`
	// Version is what ECS calls the instance's version: it grows with each
	// change of the record.
	Version int64 `json:"version"`
	// InactiveSince is about when an INACTIVE instance became so; the reaper
	// alone writes it.
	InactiveSince time.Time `json:"inactiveSince,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// InstanceSession says that an instance's agent is connected, and to which
// server. The record lives under that server's lease: it ends with the server.
type InstanceSession struct {
	Server       string    `json:"server"`
	Connection   string    `json:"connection"` // unique for each connection
	AgentVersion string    `json:"agentVersion,omitempty"`
	AgentHash    string    `json:"agentHash,omitempty"`
	Docker       string    `json:"dockerVersion,omitempty"`
	ConnectedAt  time.Time `json:"connectedAt"`
	// Since is when the agent came, where it has renewed its connection since
	// then without staying away; zero: ConnectedAt.
	Since time.Time `json:"since,omitzero"`
	Run   AgentRun  `json:"run,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// ConnectedSince is since when the agent has been connected.
func (s *InstanceSession) ConnectedSince() time.Time {
	if s.Since.IsZero() {
		return s.ConnectedAt
	}
	return s.Since
}

// InstanceHealth is how an instance has last said it is. It is written when
// that changes, not when it is said again.
type InstanceHealth struct {
	Checks []HealthCheck `json:"checks"`

	Extra jsontext.Value `json:",embed"`
}

// EngineUnreachable says whether the instance's agent is known not to reach its
// container engine: nothing can be started there meanwhile.
func (h *InstanceHealth) EngineUnreachable() bool {
	return h != nil && slices.ContainsFunc(h.Checks, func(c HealthCheck) bool {
		return c.Type == types.InstanceHealthCheckTypeContainerRuntime && c.Status == types.InstanceHealthCheckStateImpaired
	})
}

// HealthCheck is one check's result.
type HealthCheck struct {
	Type      types.InstanceHealthCheckType  `json:"type"`
	Status    types.InstanceHealthCheckState `json:"status"`
	ChangedAt time.Time                      `json:"changedAt"` // by the host's clock
	WrittenAt time.Time                      `json:"writtenAt"`
}

// Former is what is kept of a deregistered instance: who it was, and what became of
// it.
func (i *Instance) Former() Instance {
	next := *i
	next.Machine = i.EC2InstanceID() // an attribute may have it
	next.Resources, next.Attributes, next.Tags, next.ClientToken = nil, nil, nil, ""
	next.Registered.ReservedPorts, next.Registered.GPUs = nil, nil
	return next
}

// IsFormer says whether no more is kept of it.
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
