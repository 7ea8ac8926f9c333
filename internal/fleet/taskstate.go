package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TaskState joins the records of a task as one snapshot holds them. All but the
// first may be nil. It is immutable.
type TaskState struct {
	*Task
	Stop      *TaskStop
	Report    *TaskReport
	Amendment *TaskAmendment
	Health    *TaskHealth
}

// Desired returns RUNNING or STOPPED.
func (t *TaskState) Desired() TaskStatus {
	if t.Stop != nil || t.Status() == TaskStopped {
		return TaskStopped
	}
	return TaskRunning
}

// Status returns the observed status; a task without a report is PENDING, and one
// without a host PROVISIONING.
func (t *TaskState) Status() TaskStatus {
	switch {
	case t.Report != nil:
		return t.Report.Status
	case t.Instance == "":
		return TaskProvisioning
	}
	return TaskPending
}

// Holds says whether the task still holds its reservation: until its host has
// reported it STOPPED.
func (t *TaskState) Holds() bool { return t.Status() != TaskStopped }

// Failed says whether a task has ended in a way that speaks against what it was
// made from: it never ran, or it failed its health checks.
func (t *TaskState) Failed() bool {
	if t.Holds() {
		return false
	}
	return t.Report.StopCode == types.TaskStopCodeTaskFailedToStart || t.Stop != nil && t.Stop.Unhealthy
}

// EarlyEnd is how soon after its start a task has ended early.
const EarlyEnd = 10 * time.Second

// EndedEarly says whether a task of a service has ended by itself soon after its
// start.
func (t *TaskState) EndedEarly() bool {
	if t.Holds() || t.Stop != nil {
		return false
	}
	ran, ok := t.RunTime()
	return ok && ran < EarlyEnd && t.Report.StopCode == types.TaskStopCodeEssentialContainerExited
}

// RunTime is how long a task ran that has ended, if it ever did.
func (t *TaskState) RunTime() (time.Duration, bool) {
	r := t.Report
	if r == nil || r.StartedAt.IsZero() || r.Status != TaskStopped {
		return 0, false
	}
	// Its other containers may have taken their time to stop. When the first one
	// ended is by its host's clock, which may be behind.
	end := r.StoppingAt
	if end.Before(r.StartedAt) {
		end = r.StoppedAt
	}
	return max(0, end.Sub(r.StartedAt)), true
}

// HostPorts returns the ports that the task holds on its host: the reserved ones and
// those that its host reports as bound.
func (t *TaskState) HostPorts() TaskPorts {
	if !t.Holds() {
		return TaskPorts{}
	}
	held := t.Reserve.PortSpans()
	if t.Report == nil {
		return held
	}
	n := 0
	for i := range t.Report.Containers {
		n += len(t.Report.Containers[i].NetworkBindings)
	}
	if n == 0 {
		return held
	}
	held.Chosen = make([]PortSpan, 0, n)
	for i := range t.Report.Containers {
		for j := range t.Report.Containers[i].NetworkBindings {
			if s, ok := BoundPorts(&t.Report.Containers[i].NetworkBindings[j]); ok {
				held.Chosen = append(held.Chosen, s)
			}
		}
	}
	held.Chosen = JoinSpans(held.Chosen)
	return held
}

// HostPortHolders is Held with the task's id, as part of its host's ports.
func (t *TaskState) HostPortHolders() PortHolders { return t.HostPorts().holders(t.ID) }

// BoundPorts are the ports of the host that a binding takes. A malformed one takes
// none.
func BoundPorts(b *types.NetworkBinding) (PortSpan, bool) {
	proto := TCP
	if b.Protocol == types.TransportProtocolUdp {
		proto = UDP
	}
	if b.HostPortRange != nil {
		first, last, err := ParsePortRange(*b.HostPortRange)
		return PortSpan{first, last, proto}, err == nil
	}
	if b.HostPort == nil || *b.HostPort < 1 || *b.HostPort > 65535 {
		return PortSpan{}, false
	}
	return Port{uint16(*b.HostPort), proto}.Span(), true
}
