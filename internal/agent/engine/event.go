package engine

import (
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Event is something that a task's state depends on.
type Event interface{ event() }

// Order is what the server wants. Desired only moves forward.
type Order struct {
	Desired string
	Reason  string // of a refused task
}

// Admit lets a task use the host's resources.
type Admit struct{}

// Tick lets time have its effect.
type Tick struct{}

// Provided: one of the task's resources is there. Value is what its containers
// need to know of it.
type Provided struct{ Resource, Value string }

// Provisioned ends Provision.
type Provisioned struct{ Err *Failure }

// Released: one of an ended task's resources is removed.
type Released struct{ Resource string }

// PullBegun: a container's image is not here, or may be older than its registry's,
// and the registry is being asked.
type PullBegun struct {
	Container string
	At        time.Time
}

// PullDone ends Pull. Started is zero if nothing had to be fetched.
type PullDone struct {
	Container        string
	Digest           string
	SetsRegion       bool
	Started, Stopped time.Time
	Note             string // the registry's complaint when the local image had to do
	Err              *Failure
}

// CreateDone ends Create and Replace.
type CreateDone struct {
	Container string
	ID        string
	Ports     []runtime.Port
	Err       *Failure
}

// StartDone ends Start.
type StartDone struct {
	Container string
	At        time.Time
	Ports     []runtime.Port // if not nil, what Create could not know
	PortTaken bool           // Err is for a port that something else holds
	Err       *Failure
}

// Exited is a container's end.
type Exited struct {
	Container string
	Code      int
	OOM       bool // the engine says that a process in it was killed for its memory, at some time
	At        time.Time
}

// OutOfMemory: a process in a container was killed for its memory.
type OutOfMemory struct {
	Container string
	At        time.Time
}

// Gone: the engine knows nothing of a container it once had.
type Gone struct {
	Container string
	At        time.Time
}

// Found tells of a container that had started already.
type Found struct {
	Container string
	ID        string
	StartedAt time.Time
	Ports     []runtime.Port
	Health    string
}

// Recovered tells what the engine has of a task's containers when the agent
// starts: all of them at once, by the name in the task. Those that it has not are
// missing.
type Recovered struct {
	Containers map[string]runtime.Container
	Boot       string // this run of the machine; empty: unknown
	At         time.Time
}

// HealthSeen is a health check's result.
type HealthSeen struct {
	Container string
	Health    string
	At        time.Time
}

func (Order) event()       {}
func (Admit) event()       {}
func (Tick) event()        {}
func (Provided) event()    {}
func (Provisioned) event() {}
func (Released) event()    {}
func (PullBegun) event()   {}
func (PullDone) event()    {}
func (CreateDone) event()  {}
func (StartDone) event()   {}
func (Exited) event()      {}
func (OutOfMemory) event() {}
func (Gone) event()        {}
func (Found) event()       {}
func (Recovered) event()   {}
func (HealthSeen) event()  {}

// Action is something to be done for a task.
type Action interface{ action() }

// Provision provides the task's resources; Provided tells of each.
type Provision struct{}

// Pull makes sure of a container's image.
type Pull struct{ Container string }

// CancelPull gives a pull up; PullDone still comes.
type CancelPull struct{ Container string }

// Create creates a container.
type Create struct{ Container string }

// Start starts it for the first time.
type Start struct{ Container string }

// Restart starts it again, by its restart policy.
type Restart struct{ Container string }

// Replace removes a container that never started and creates it anew.
type Replace struct{ Container string }

// Stop stops it, and is not given up: Exited or Gone ends it.
type Stop struct{ Container string }

// After asks for a Tick at a time.
type After struct{ At time.Time }

// Notify tells that a report waits.
type Notify struct{}

// Finish: the task has ended, and others may have its share of the host.
type Finish struct{}

func (Provision) action()  {}
func (Pull) action()       {}
func (CancelPull) action() {}
func (Create) action()     {}
func (Start) action()      {}
func (Restart) action()    {}
func (Replace) action()    {}
func (Stop) action()       {}
func (After) action()      {}
func (Notify) action()     {}
func (Finish) action()     {}
