package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// These capacity providers always exist.
const (
	ProviderFargate     = "FARGATE"
	ProviderFargateSpot = "FARGATE_SPOT"
)

// AttributeProvider is the attribute with which a host names its capacity provider.
const AttributeProvider = "ashore.capacity-provider"

// CapacityProvider is a named part of the fleet over which strategies distribute tasks.
// Hosts join it by AttributeProvider.
type CapacityProvider struct {
	Name      string                             `json:"name"`
	Type      types.CapacityProviderType         `json:"type"`
	Cluster   string                             `json:"cluster,omitempty"` // of MANAGED_INSTANCES, which belongs to one cluster
	Status    types.CapacityProviderStatus       `json:"status"`
	CreatedAt time.Time                          `json:"createdAt"`
	DeletedAt time.Time                          `json:"deletedAt,omitzero"` // of an INACTIVE one
	Update    types.CapacityProviderUpdateStatus `json:"updateStatus,omitempty"`
	// UpdateReason says why the last update, such as a deletion, has failed.
	UpdateReason string `json:"updateStatusReason,omitempty"`

	Group   *types.AutoScalingGroupProvider `json:"autoScalingGroupProvider,omitempty"`
	Managed *types.ManagedInstancesProvider `json:"managedInstancesProvider,omitempty"`
	Tags    []types.Tag                     `json:"tags,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// QueuesTasks says whether tasks wait if the provider has no room. They wait if ECS's
// own managed scaling would add instances.
func (p *CapacityProvider) QueuesTasks() bool {
	switch {
	case p.Managed != nil:
		return true
	case p.Group != nil && p.Group.ManagedScaling != nil:
		return p.Group.ManagedScaling.Status == types.ManagedScalingStatusEnabled
	}
	return false
}
