package fleet

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

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

// Held returns the ports that the task holds on its host: the reserved ones and
// those that its host reports as bound.
func (t *TaskState) Held() []Port {
	if !t.Holds() {
		return nil
	}
	held := t.Reserve.Ports
	if t.Report == nil {
		return held
	}
	cut := len(held)
	for i := range t.Report.Containers {
		for j := range t.Report.Containers[i].NetworkBindings {
			b := &t.Report.Containers[i].NetworkBindings[j]
			proto := TCP
			if b.Protocol == "udp" {
				proto = UDP
			}
			if b.HostPort != nil && *b.HostPort > 0 && *b.HostPort <= 65535 {
				held = append(held[:cut:cut], Port{uint16(*b.HostPort), proto})
				cut = len(held)
			}
			if b.HostPortRange != nil {
				from, to, err := ParsePortRange(*b.HostPortRange)
				if err != nil {
					continue // a malformed report of the host reserves nothing
				}
				for p := int(from); p <= int(to); p++ {
					held = append(held[:cut:cut], Port{uint16(p), proto})
					cut = len(held)
				}
			}
		}
	}
	return held
}
