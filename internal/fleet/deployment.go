package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// Deployment is the order to run a revision of a service. It is immutable. A rollback
// is another deployment, to the earlier revision.
type Deployment struct {
	Cluster   string    `json:"cluster"`
	Service   string    `json:"service"`
	ServiceID string    `json:"serviceId"` // id of the service to which it belongs; see Service.ID
	ID        string    `json:"id"`        // 19 digits, unique everywhere
	Number    int64     `json:"number"`    // in its service: a newer deployment has a higher number
	Revision  string    `json:"revision"`  // id of the ServiceRevision
	CreatedAt time.Time `json:"createdAt"`
	// Sources are the revisions that ran, or should run, when the deployment was made.
	Sources []string `json:"sources,omitempty"`
	// RollbackOf is the deployment that this one rolls back. Reason says why.
	RollbackOf string `json:"rollbackOf,omitempty"`
	Reason     string `json:"reason,omitempty"`
	// Configuration is the service's configuration at that time.
	Configuration *types.DeploymentConfiguration `json:"configuration,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// DeploymentState is the state that the scheduler writes for a deployment. Without this
// record the scheduler has done nothing yet.
type DeploymentState struct {
	// Launched counts all tasks that were ever placed for the deployment. The next
	// task's Serial is one more.
	Launched int64                        `json:"launched"`
	Rollout  types.DeploymentRolloutState `json:"rollout,omitempty"`
	Reason   string                       `json:"reason,omitempty"`
	// LastGood is the highest serial of the tasks that are known to have run. By the
	// circuit breaker's setting it may be the highest serial of the tasks that were
	// healthy. Earlier failures don't count any more.
	LastGood int64 `json:"lastGood,omitzero"`
	// Tripped is set when the circuit breaker trips: it is the number of failed tasks.
	Tripped int `json:"tripped,omitzero"`
	// Done says that another deployment has replaced this one, and that none of its
	// tasks is left.
	Done       bool              `json:"done,omitzero"`
	StartedAt  time.Time         `json:"startedAt,omitzero"`
	UpdatedAt  time.Time         `json:"updatedAt,omitzero"`
	FinishedAt time.Time         `json:"finishedAt,omitzero"`
	StoppedAt  time.Time         `json:"stoppedAt,omitzero"`
	Unplaced   *PlacementFailure `json:"unplaced,omitempty"` // of the last try to place tasks; nil if they were placed
	// NextTry is when tasks may be launched again after tasks failed to start. Impaired
	// counts the rounds of failures that an event has reported.
	NextTry  time.Time `json:"nextTry,omitzero"`
	Impaired int       `json:"impaired,omitzero"`
	// Looping says that an event has reported tasks that repeatedly end early.
	Looping bool `json:"looping,omitzero"`
	// Stuck says that an event has reported that the minimum and maximum percent allow
	// no task to be replaced.
	Stuck bool `json:"stuck,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// PlacementFailure says why a service's task got no host.
type PlacementFailure struct {
	At       time.Time `json:"at"`
	Instance string    `json:"instance,omitempty"` // the instance that came closest
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail,omitempty"`
	Zone     string    `json:"zone,omitempty"` // the only possible zone, if tasks are rebalanced
	// Tries is the number of failed tries in a row.
	Tries int `json:"tries"`
}

// DeploymentStop is the order to stop a deployment before it has completed.
type DeploymentStop struct {
	Type types.StopServiceDeploymentStopType `json:"type"`
	At   time.Time                           `json:"at"`

	Extra jsontext.Value `json:",embed"`
}

// DeploymentID derives a deployment's id from its service's ID and its number. Like
// ECS's ids it has 19 digits.
func DeploymentID(service string, number int64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "deployment\x00%s\x00%d", service, number))
	const low = 1e18
	return fmt.Sprint(low + binary.BigEndian.Uint64(h[:])%(9*low))
}
