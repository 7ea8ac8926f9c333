package rollout

import (
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Input is what Step decides from. Step changes nothing in it.
type Input struct {
	Now     time.Time
	Service Service
	// Deployments that are not retired, the newest, PRIMARY, first.
	Deployments []Deployment
	// Tasks of the service, in any order. Stopped tasks that are still known belong
	// to them, because failures are counted from them. A task whose deployment is not
	// listed counts as a task of an older deployment.
	Tasks []Task
	// Hosts that a DAEMON is to run on: ACTIVE, not lost, and allowed by its
	// constraints.
	Hosts []Host
	// Zones in which a REPLICA's tasks may be placed. Step reads them only if the
	// service is rebalanced.
	Zones []string
	// NextID is the id of a rollback's deployment, if this step requests one. The
	// caller derives it from PRIMARY's id, so that a repetition collides.
	NextID string
}

// Service is what is wanted.
type Service struct {
	Name           string
	Status         Status
	Strategy       types.SchedulingStrategy // REPLICA or DAEMON
	Desired        int                      // of a REPLICA; a DAEMON wants one on each host
	MinimumPercent int                      // of desired, rounded up
	MaximumPercent int                      // of desired, rounded down
	Breaker        Breaker
	// HealthyAfter is how long a task without health checks runs until it counts
	// as healthy.
	HealthyAfter time.Duration
	// GracePeriod is how long after a task's start its failing health checks are
	// ignored.
	GracePeriod time.Duration
	Rebalance   bool // across availability zones
	// Packs is set if the service packs its tasks: scaling in stops tasks on the
	// hosts with the most room first.
	Packs bool
	// Completed is the last deployment that became COMPLETED, retired or not; nil if
	// there is none.
	Completed *Completed
}

// Status is the stage of a service's life.
type Status string

const (
	Active   Status = "ACTIVE"
	Draining Status = "DRAINING" // deleted; tasks may be left
	Inactive Status = "INACTIVE"
)

// Breaker is a service's deployment circuit breaker.
type Breaker struct {
	Enabled  bool
	Rollback bool
	// Type and Value make the threshold. An empty Type is BOUNDED_PERCENT with the
	// value 50.
	Type  types.ThresholdType
	Value int
	// KeepCount: failures count until the deployment ends, even if tasks become
	// healthy meanwhile (ECS's resetOnHealthyTask, turned off).
	KeepCount bool
}

// Completed is a deployment to roll back to.
type Completed struct {
	Deployment string
	Revision   string
}

// Deployment is one of the service's deployments, with what earlier steps have found
// out.
type Deployment struct {
	ID         string // the digits after "ecs-svc/"
	Revision   string
	CreatedAt  time.Time
	RollbackOf string // id of the deployment that failed, of a rollback
	// HealthChecks reports whether essential containers of its task definition have
	// health checks.
	HealthChecks bool
	// Stop is the type that StopServiceDeployment asked for, or "".
	Stop types.StopServiceDeploymentStopType
	// Unplaced is the last launch, if some of its tasks found no host. The caller
	// writes it with each failed placement. It clears it with a launch that places
	// all tasks.
	Unplaced *Unplaced
	// Crashes describes the newest tasks that ended early.
	Crashes Crashes

	DeploymentState
}

// DeploymentState is what Step has found out about a deployment. The caller stores it
// and passes it to the next Step.
type DeploymentState struct {
	Rollout types.DeploymentRolloutState
	Reason  string // of Rollout, in ECS's words
	// LastGood is a serial: failures of tasks up to it no longer count. It grows as
	// tasks become healthy.
	LastGood int64
	// SteadySince is when the service became steady, as its events reported; zero
	// while it is not steady. Only PRIMARY's counts (fleet.ServiceState stores it).
	SteadySince time.Time
	// NextTry is the time until which nothing is launched after failures to start;
	// zero if launches need not wait.
	NextTry time.Time
	// Impaired is the number of consecutive rounds of failed starts that an event has
	// reported.
	Impaired int
	// Looping: an event has reported that replacements of tasks that end early wait.
	Looping bool
	// Stuck: an event has reported that minimum and maximum let no task be replaced.
	Stuck bool
	// Retired: an older deployment that has nothing left to do (fleet's Done). ECS no
	// longer lists it.
	Retired bool
}

// Unplaced is a launch that did not find hosts for all its tasks.
type Unplaced struct {
	At     time.Time
	Reason string
	Zone   string // the zone of the launch
	// Changed: hosts, or what they have reserved, have changed since, so another try
	// is worth it now.
	Changed bool
}

// Task is one of the service's tasks.
type Task struct {
	ID         string
	Deployment string // id
	Serial     int64  // 1 for the deployment's first task, 2 for the second, …
	Status     fleet.TaskStatus
	// Stop is set once the task's desired status is STOPPED. StopReason is the reason
	// that came with the request.
	Stop       bool
	StopReason string
	// StopCode is the code in a STOPPED task's report.
	StopCode       types.TaskStopCode
	Health         types.HealthStatus
	CreatedAt      time.Time
	StartedAt      time.Time // zero: it was never RUNNING
	StoppedAt      time.Time // zero: unknown, or not STOPPED
	ProtectedUntil time.Time
	Instance       string // id; "" while it waits for a host
	Zone           string
	Host           HostCondition
	Spare          int // what is free on its host: CPU units or MiB of memory, whichever the service packs
}

// HostCondition is the condition of a task's host.
type HostCondition uint8

const (
	HostOK       HostCondition = iota
	HostAway                   // out of contact; it keeps its tasks
	HostDraining               // DRAINING or being deregistered
	HostLost                   // out of contact for too long, or gone
)

// Host is a host that a DAEMON is to run on.
type Host struct {
	Instance string
	// Away: the host is out of contact. Its tasks stay; nothing is launched there.
	Away bool
}
