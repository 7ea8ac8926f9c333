package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TaskState has the records of a task in one snapshot. All but the first may be nil. It
// is immutable.
type TaskState struct {
	*Task
	Stop      *TaskStop
	Report    *TaskReport
	Amendment *TaskAmendment
	Health    *TaskHealth
}

// Desired returns the desired status: RUNNING or STOPPED.
func (t *TaskState) Desired() TaskStatus {
	if t.Stop != nil || t.Status() == TaskStopped {
		return TaskStopped
	}
	return TaskRunning
}

// Status returns the observed status. A task without a report is PENDING, and a task
// without a host is PROVISIONING.
func (t *TaskState) Status() TaskStatus {
	switch {
	case t.Report != nil:
		return t.Report.Status
	case t.Instance == "":
		return TaskProvisioning
	}
	return TaskPending
}

// Holds says whether the task still has its reservation. It has until its host reports
// it STOPPED.
func (t *TaskState) Holds() bool { return t.Status() != TaskStopped }

// Failed says whether a task's end counts against its definition: it never ran, or it
// failed its health checks.
func (t *TaskState) Failed() bool {
	if t.Holds() {
		return false
	}
	return t.Report.StopCode == types.TaskStopCodeTaskFailedToStart || t.Stop != nil && t.Stop.Unhealthy
}

// EarlyEnd is how soon after its start a task must end to count as EndedEarly.
const EarlyEnd = 10 * time.Second

// EndedEarly says whether a task of a service has ended by itself soon after its start.
func (t *TaskState) EndedEarly() bool {
	if t.Holds() || t.Stop != nil {
		return false
	}
	ran, ok := t.RunTime()
	return ok && ran < EarlyEnd && t.Report.StopCode == types.TaskStopCodeEssentialContainerExited
}

// RunTime returns how long an ended task ran. ok is false if it never ran or has not
// ended.
func (t *TaskState) RunTime() (time.Duration, bool) {
	r := t.Report
	if r == nil || r.StartedAt.IsZero() || r.Status != TaskStopped {
		return 0, false
	}
	// The task's other containers may have needed time to stop. The time at which the
	// first one ended comes from the host's clock, which may be behind.
	end := r.StoppingAt
	if end.Before(r.StartedAt) {
		end = r.StoppedAt
	}
	return max(0, end.Sub(r.StartedAt)), true
}

// HostPorts returns the ports that the task holds on its host: the reserved ports, and
// the ports that the host reports as bound.
func (t *TaskState) HostPorts() TaskPorts {
	if !t.Holds() {
		return TaskPorts{}
	}
	ports := t.Reserve.PortSpans()
	if t.Report == nil {
		return ports
	}
	n := 0
	for i := range t.Report.Containers {
		n += len(t.Report.Containers[i].NetworkBindings)
	}
	if n == 0 {
		return ports
	}
	ports.Chosen = make([]PortSpan, 0, n)
	for i := range t.Report.Containers {
		for j := range t.Report.Containers[i].NetworkBindings {
			if s, ok := BoundPorts(&t.Report.Containers[i].NetworkBindings[j]); ok {
				ports.Chosen = append(ports.Chosen, s)
			}
		}
	}
	ports.Chosen = JoinSpans(ports.Chosen)
	return ports
}

// HostPortHolders returns HostPorts with the task as their holder.
func (t *TaskState) HostPortHolders() PortHolders { return t.HostPorts().holders(t.ID) }

// BoundPorts returns the host's ports that a binding uses. ok is false for a malformed
// binding.
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
