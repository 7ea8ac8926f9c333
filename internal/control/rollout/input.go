package rollout

import (
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Input is what Step decides from. Step changes nothing of it.
type Input struct {
	Now     time.Time
	Service Service
	// Deployments that are not retired, the newest, PRIMARY, first.
	Deployments []Deployment
	// Tasks of the service, in any order, also the stopped ones that are still
	// known: failures are counted from them. One whose deployment is not listed
	// counts as an older deployment's.
	Tasks []Task
	// Hosts that a DAEMON is to run on: ACTIVE, not lost, and of those that its
	// constraints allow.
	Hosts []Host
	// Zones in which a REPLICA's tasks may be placed; read where it is rebalanced.
	Zones []string
	// NextID is the id that a rollback's deployment will get, if this step asks
	// for one. The caller derives it from PRIMARY's, so that a repetition collides.
	NextID string
}

// Service is the wish.
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
	// GracePeriod is how long after its start a task's failing health checks are
	// overlooked.
	GracePeriod time.Duration
	Rebalance   bool // across availability zones
	// Packs: scaling in empties the hosts with the most left first.
	Packs bool
	// Completed is the last deployment that came to COMPLETED, retired or not;
	// nil if none has.
	Completed *Completed
}

// Status is a service's life.
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
	// Type and Value make the threshold; empty is BOUNDED_PERCENT 50.
	Type  types.ThresholdType
	Value int
	// KeepCount: failures count until the deployment ends, although tasks become
	// healthy (ECS's resetOnHealthyTask, turned off).
	KeepCount bool
}

// Completed is a deployment to roll back to.
type Completed struct {
	Deployment string
	Revision   string
}

// Deployment is one of the service's deployments with what earlier steps have
// found out.
type Deployment struct {
	ID         string // the digits after "ecs-svc/"
	Revision   string
	CreatedAt  time.Time
	RollbackOf string // id of the deployment that failed, of a rollback
	// HealthChecks says whether essential containers of its task definition have
	// health checks.
	HealthChecks bool
	// Stop is what StopServiceDeployment asked for, or "".
	Stop types.StopServiceDeploymentStopType
	// Unplaced is the last launch, if not all of it found hosts. The caller writes
	// it with each failed placement, and clears it with one that places all.
	Unplaced *Unplaced
	// Crashes are what its newest tasks have come to.
	Crashes Crashes

	DeploymentState
}

// DeploymentState is what Step has found out about a deployment, to be stored
// and given back to it.
type DeploymentState struct {
	Rollout types.DeploymentRolloutState
	Reason  string // of Rollout, in ECS's words
	// LastGood: failures of tasks up to this serial no longer count. It moves as
	// tasks become healthy.
	LastGood int64
	// SteadySince is when the service became steady, as events told; zero while it
	// is not. Only PRIMARY's counts (fleet.ServiceState keeps it).
	SteadySince time.Time
	// NextTry is until when nothing is launched, after failures to start; zero
	// without.
	NextTry time.Time
	// Impaired is the number of consecutive rounds of failed starts that people
	// were told of.
	Impaired int
	// Looping: people were told that replacements of tasks that end early wait.
	Looping bool
	// Stuck: people were told that minimum and maximum let no task be replaced.
	Stuck bool
	// Retired: an older deployment that has nothing left to do (fleet's Done). ECS
	// lists it no more.
	Retired bool
}

// Unplaced is a launch that did not find hosts for all its tasks.
type Unplaced struct {
	At     time.Time
	Reason string
	Zone   string // the launch's
	// Changed: hosts or what they hold have changed since, so another try is
	// worth it now.
	Changed bool
}

// Task is one of the service's tasks.
type Task struct {
	ID         string
	Deployment string // id
	Serial     int64  // the how manieth of its deployment
	Status     fleet.TaskStatus
	// Stop is set once the task is wanted STOPPED, with the reason asked for.
	Stop       bool
	StopReason string
	// StopCode is that of a STOPPED task's report.
	StopCode       types.TaskStopCode
	Health         types.HealthStatus
	CreatedAt      time.Time
	StartedAt      time.Time // zero: it never was RUNNING
	StoppedAt      time.Time // zero: unknown, or not STOPPED
	ProtectedUntil time.Time
	Instance       string // id; "" while it waits for a host
	Zone           string
	Host           HostCondition
	Spare          int // of CPU or memory on its host, whichever the service packs
}

// Condition is that of a task's host.
type HostCondition uint8

const (
	HostOK       HostCondition = iota
	HostAway                   // out of contact; it keeps its tasks
	HostDraining               // DRAINING or being deregistered
	HostLost                   // out of contact for too long, or gone
)

// Host is one that a DAEMON is to run on.
type Host struct {
	Instance string
	// Away: out of contact. What it has stays; nothing is launched there.
	Away bool
}
