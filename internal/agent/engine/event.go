package engine

import (
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Event is an input of Step: something that a task's state depends on.
type Event interface{ event() }

// Order is an order of the server. Desired only moves forward.
type Order struct {
	Desired string
	Reason  string // of a task that was rejected
}

// Admit lets a task use the host's resources.
type Admit struct{}

// Tick means that time has passed.
type Tick struct{}

// Provided means that one of the task's resources exists. Value is what the task's
// containers need in order to use it.
type Provided struct{ Resource, Value string }

// Provisioned is the outcome of Provision.
type Provisioned struct{ Err *Failure }

// Released means that one resource of an ended task is removed.
type Released struct{ Resource string }

// PullBegun means that a registry is being asked for a container's image, since the image
// is not on the host or may be out of date.
type PullBegun struct {
	Container string
	At        time.Time
}

// PullDone is the outcome of Pull. Started is zero if nothing was pulled.
type PullDone struct {
	Container        string
	Digest           string
	SetsRegion       bool
	Started, Stopped time.Time
	Note             string // the registry's error if the image on the host was used instead
	Err              *Failure
}

// CreateDone is the outcome of Create and Replace.
type CreateDone struct {
	Container string
	ID        string
	Ports     []runtime.Port
	Err       *Failure
}

// StartDone is the outcome of Start and Restart.
type StartDone struct {
	Container string
	At        time.Time
	Ports     []runtime.Port // if not nil, host ports that were not known at Create
	PortTaken bool           // Err means that another process uses a port
	Err       *Failure
}

// Exited means that a container has ended.
type Exited struct {
	Container string
	Code      int
	OOM       bool // the runtime says that a process in it was killed for lack of memory, at some time
	At        time.Time
}

// OutOfMemory means that a process in a container was killed for lack of memory.
type OutOfMemory struct {
	Container string
	At        time.Time
}

// Gone means that the runtime no longer has a container that it once had.
type Gone struct {
	Container string
	At        time.Time
}

// Found means that a container had started already.
type Found struct {
	Container string
	ID        string
	StartedAt time.Time
	Ports     []runtime.Port
	Health    string
}

// Recovered lists the containers that the runtime has of a task when the agent starts. It
// has all of them at once, by their name in the task. A container that the runtime does
// not have is missing.
type Recovered struct {
	Containers map[string]runtime.Container
	Boot       string // this boot of the machine; empty: unknown
	At         time.Time
}

// HealthSeen is the result of a health check.
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

// Action is an output of Step: work to be done for a task.
type Action interface{ action() }

// Provision provides the task's resources. A Provided follows for each, then Provisioned.
type Provision struct{}

// Pull makes sure that a container's image is on the host. PullDone follows.
type Pull struct{ Container string }

// CancelPull cancels a pull. PullDone still follows.
type CancelPull struct{ Container string }

// Create creates a container. CreateDone follows.
type Create struct{ Container string }

// Start starts a container for the first time. StartDone follows.
type Start struct{ Container string }

// Restart starts a container again, by its restart policy. StartDone follows.
type Restart struct{ Container string }

// Replace removes a container that never started and creates it again. CreateDone follows.
type Replace struct{ Container string }

// Stop stops a container. It is retried until Exited or Gone follows.
type Stop struct{ Container string }

// After requests a Tick at a time.
type After struct{ At time.Time }

// Notify means that a report is to be delivered.
type Notify struct{}

// Finish means that the task has ended and other tasks may use its share of the host.
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
