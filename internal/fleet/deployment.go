package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// Deployment is the wish that a service run a revision. It is immutable. A
// rollback is a deployment of its own, to the revision that was there before.
type Deployment struct {
	Cluster   string    `json:"cluster"`
	Service   string    `json:"service"`
	ServiceID string    `json:"serviceId"` // of the service's creation that it belongs to
	ID        string    `json:"id"`        // 19 digits, unique everywhere
	Number    int64     `json:"number"`    // of its service: a newer one has a higher
	Revision  string    `json:"revision"`  // id of the ServiceRevision
	CreatedAt time.Time `json:"createdAt"`
	// Sources are the revisions that ran, or were to run, when it was made.
	Sources []string `json:"sources,omitempty"`
	// RollbackOf is the deployment that this one takes back, Reason why.
	RollbackOf string `json:"rollbackOf,omitempty"`
	Reason     string `json:"reason,omitempty"`
	// Configuration is the service's as it was then.
	Configuration *types.DeploymentConfiguration `json:"configuration,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// DeploymentState is what the scheduler has made of a deployment. Its absence
// means that nothing has been done yet.
type DeploymentState struct {
	// Launched counts the tasks that were ever placed for it: the next one's
	// Serial is one more.
	Launched int64                        `json:"launched"`
	Rollout  types.DeploymentRolloutState `json:"rollout,omitempty"`
	Reason   string                       `json:"reason,omitempty"`
	// LastGood is the highest serial of those that are known to have run (or, by
	// the circuit breaker's setting, to have been healthy): earlier failures don't
	// count any more.
	LastGood int64 `json:"lastGood,omitzero"`
	// Tripped is set when the circuit breaker has: how many tasks had failed.
	Tripped int `json:"tripped,omitzero"`
	// Done says that another deployment has taken its place and none of its tasks
	// is left.
	Done       bool              `json:"done,omitzero"`
	StartedAt  time.Time         `json:"startedAt,omitzero"`
	UpdatedAt  time.Time         `json:"updatedAt,omitzero"`
	FinishedAt time.Time         `json:"finishedAt,omitzero"`
	StoppedAt  time.Time         `json:"stoppedAt,omitzero"`
	Unplaced   *PlacementFailure `json:"unplaced,omitempty"` // of the last try to place tasks; nil: it found room
	// NextTry is until when nothing is launched, after tasks that failed to start;
	// Impaired counts the rounds of them that an event has told of.
	NextTry  time.Time `json:"nextTry,omitzero"`
	Impaired int       `json:"impaired,omitzero"`
	// Looping says that an event has told of tasks that keep ending early.
	Looping bool `json:"looping,omitzero"`
	// Stuck says that an event has told that minimum and maximum let no task be
	// replaced.
	Stuck bool `json:"stuck,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// PlacementFailure is why there was no host for a service's task.
type PlacementFailure struct {
	At       time.Time `json:"at"`
	Instance string    `json:"instance,omitempty"` // the one that came closest
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail,omitempty"`
	Zone     string    `json:"zone,omitempty"` // the only one that would do, where tasks are rebalanced
	// Tries counts those in vain in a row.
	Tries int `json:"tries"`
}

// DeploymentStop is the wish that a deployment end before it has completed.
type DeploymentStop struct {
	Type types.StopServiceDeploymentStopType `json:"type"`
	At   time.Time                           `json:"at"`

	Extra jsontext.Value `json:",embed"`
}

// DeploymentID derives a deployment's id, 19 digits as ECS's, from its service's
// ID and its number.
func DeploymentID(service string, number int64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "deployment\x00%s\x00%d", service, number))
	const low = 1e18
	return fmt.Sprint(low + binary.BigEndian.Uint64(h[:])%(9*low))
}
