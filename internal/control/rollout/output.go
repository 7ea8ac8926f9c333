package rollout

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Output is what to do next. Its zero value means that there is nothing to do.
type Output struct {
	Launches    []Launch
	Stops       []Stop
	Deployments []DeploymentChange // new states of those that change
	Rollback    *Rollback
	// Inactive: a deleted service has no task left.
	Inactive bool
	Events   []Event // new events of the service, oldest first
	// Wake is when to call again, even if nothing changes; zero means never.
	Wake time.Time
	// Throttled is set while failures to start delay launches.
	Throttled *Throttled
	// Failures and Threshold are the circuit breaker's numbers for PRIMARY.
	Failures, Threshold int
}

// Launch requests new tasks of a deployment.
type Launch struct {
	Deployment string
	Count      int
	// Instances are the hosts of a DAEMON's tasks: Count of them, one for each task.
	Instances []string
	// Zone is the only zone in which the tasks may be placed, where a REPLICA is
	// rebalanced.
	Zone string
}

// Stop requests that a task ends.
type Stop struct {
	Task   string
	Code   types.TaskStopCode
	Reason string
}

// Event is a service event. Type, Name and Reason are the members of the "ECS Service
// Action" event that reports the same; they are empty if there is no such event.
type Event struct {
	Message string
	Type    string
	Name    string
	Reason  string
}

// DeploymentChange is a deployment's new state.
type DeploymentChange struct {
	ID string
	DeploymentState
	// UnplacedResolved: the caller must clear the deployment's Unplaced.
	UnplacedResolved bool
}

// Rollback requests a new deployment, Input.NextID, in PRIMARY's place.
type Rollback struct {
	Of       string // id of the deployment that failed
	Revision string
	Reason   string // of the new deployment's state IN_PROGRESS
}

// Throttled describes how failures to start delay launches.
type Throttled struct {
	Failures int // consecutive
	Rounds   int // in which they were launched
	NextTry  time.Time
}

// IsEmpty reports whether there is nothing to store.
func (o *Output) IsEmpty() bool {
	return len(o.Launches) == 0 && len(o.Stops) == 0 && len(o.Deployments) == 0 && len(o.Events) == 0 &&
		o.Rollback == nil && !o.Inactive
}
