package rollout

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Output is what to do next. Its zero value is: nothing.
type Output struct {
	Launches    []Launch
	Stops       []Stop
	Deployments []DeploymentChange // new states of those that change
	Rollback    *Rollback
	// Inactive: a deleted service has no task left.
	Inactive bool
	Events   []Event // of the service that are new, oldest first
	// Wake is when to call again, even if nothing changes; zero is never.
	Wake time.Time
	// Throttled is set while failures to start hold launches back.
	Throttled *Throttled
	// Failures and Threshold are the circuit breaker's for PRIMARY.
	Failures, Threshold int
}

// Launch asks for new tasks of a deployment.
type Launch struct {
	Deployment string
	Count      int
	// Instances are the hosts of a DAEMON's tasks, Count of them, one for each.
	Instances []string
	// Zone is the only one to place them in, where a REPLICA is rebalanced.
	Zone string
}

// Stop asks that a task end.
type Stop struct {
	Task   string
	Code   types.TaskStopCode
	Reason string
}

// Event is a service event. Type, Name and Reason are those of the "ECS Service
// Action" that tells the same; empty where there is none.
type Event struct {
	Message string
	Type    string
	Name    string
	Reason  string
}

// DeploymentChange is a deployment's state as it is now.
type DeploymentChange struct {
	ID string
	DeploymentState
	// Placed: a deployment's Unplaced is settled, and to be forgotten.
	UnplacedResolved bool
}

// Rollback asks for a new deployment, Input.NextID, in PRIMARY's place.
type Rollback struct {
	Of       string // deployment that failed
	Revision string
	Reason   string // of the new deployment's IN_PROGRESS
}

// Throttled says how failures to start hold launches back.
type Throttled struct {
	Failures int // consecutive
	Rounds   int // in which they were launched
	NextTry  time.Time
}

// Nothing says whether there is nothing to store.
func (o *Output) IsEmpty() bool {
	return len(o.Launches) == 0 && len(o.Stops) == 0 && len(o.Deployments) == 0 && len(o.Events) == 0 &&
		o.Rollback == nil && !o.Inactive
}
