package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// Capacity providers that are always there.
const (
	ProviderFargate     = "FARGATE"
	ProviderFargateSpot = "FARGATE_SPOT"
)

// AttributeProvider is the attribute by which a host says which capacity
// provider it belongs to.
const AttributeProvider = "ashore.capacity-provider"

// CapacityProvider is a named part of the fleet that strategies distribute tasks
// over. What it consists of the hosts say, by AttributeProvider.
type CapacityProvider struct {
	Name      string                             `json:"name"`
	Type      types.CapacityProviderType         `json:"type"`
	Cluster   string                             `json:"cluster,omitempty"` // of MANAGED_INSTANCES: it belongs to one
	Status    types.CapacityProviderStatus       `json:"status"`
	CreatedAt time.Time                          `json:"createdAt"`
	DeletedAt time.Time                          `json:"deletedAt,omitzero"` // of an INACTIVE one
	Update    types.CapacityProviderUpdateStatus `json:"updateStatus,omitempty"`
	// UpdateReason says why the last update, as a deletion, has failed.
	UpdateReason string `json:"updateStatusReason,omitempty"`

	Group   *types.AutoScalingGroupProvider `json:"autoScalingGroupProvider,omitempty"`
	Managed *types.ManagedInstancesProvider `json:"managedInstancesProvider,omitempty"`
	Tags    []types.Tag                     `json:"tags,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// QueuesTasks says whether tasks for which there is no room wait for it: where ECS's
// own managed scaling would bring some.
func (p *CapacityProvider) QueuesTasks() bool {
	switch {
	case p.Managed != nil:
		return true
	case p.Group != nil && p.Group.ManagedScaling != nil:
		return p.Group.ManagedScaling.Status == types.ManagedScalingStatusEnabled
	}
	return false
}
