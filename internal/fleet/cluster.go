package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// DefaultCluster is the cluster of a request that names none.
const DefaultCluster = "default"

// ClusterStatus is a cluster's status: ACTIVE, and INACTIVE after its deletion.
type ClusterStatus string

const (
	ClusterActive   ClusterStatus = "ACTIVE"
	ClusterInactive ClusterStatus = "INACTIVE"
)

// Cluster is a named group of container instances and tasks.
type Cluster struct {
	Name      string        `json:"name"`
	Status    ClusterStatus `json:"status"`
	CreatedAt time.Time     `json:"createdAt"`
	DeletedAt time.Time     `json:"deletedAt,omitzero"` // of an INACTIVE one

	Settings                        []types.ClusterSetting               `json:"settings,omitempty"`
	Configuration                   *types.ClusterConfiguration          `json:"configuration,omitempty"`
	CapacityProviders               []string                             `json:"capacityProviders,omitempty"`
	DefaultCapacityProviderStrategy []types.CapacityProviderStrategyItem `json:"defaultCapacityProviderStrategy,omitempty"`
	ServiceConnectDefaults          *types.ClusterServiceConnectDefaults `json:"serviceConnectDefaults,omitempty"`
	Tags                            []types.Tag                          `json:"tags,omitempty"`

	Extra jsontext.Value `json:",embed"`
}
