package report

import (
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// finishReport completes the report of a task that has ended: every container is
// STOPPED, and the stop code and reason say why, in ECS's words.
func finishReport(r *fleet.TaskReport, t *fleet.TaskState, d *fleet.TaskDefinition, reason string, now time.Time) {
	ran := !r.StartedAt.IsZero() || allContainersRan(r, t, d)
	for _, c := range t.Containers {
		i := slices.IndexFunc(r.Containers, func(x fleet.ContainerReport) bool { return x.Name == c.Name })
		if i < 0 {
			r.Containers = append(r.Containers, fleet.ContainerReport{Name: c.Name, Status: fleet.TaskStopped})
			continue
		}
		r.Containers[i].Status = fleet.TaskStopped
	}
	r.StoppedAt = now
	if ran && r.StartedAt.IsZero() {
		// It ran so briefly that its host never reported it.
		r.StartedAt = latest(t.CreatedAt, r.PullStoppedAt)
	}
	switch {
	case t.Stop != nil:
		r.StopCode, r.Reason = t.Stop.Code, t.Stop.Reason
		r.StoppingAt = t.Stop.At
	case !ran:
		r.StopCode = types.TaskStopCodeTaskFailedToStart
		if r.Reason = reason; r.Reason == "" {
			r.Reason = startError(r, d)
		}
		if r.Reason == "" {
			r.Reason = "Task failed to start"
		}
	default:
		r.StopCode = types.TaskStopCodeEssentialContainerExited
		if r.Reason = reason; r.Reason == "" {
			r.Reason = "Essential container in task exited"
		}
	}
	if r.StoppingAt.IsZero() {
		if r.StoppingAt = r.ExecutionStoppedAt; r.StoppingAt.IsZero() {
			r.StoppingAt = now
		}
	}
}

// allContainersRan reports whether a task ran that was never reported RUNNING,
// because it ran too briefly for its host to report it. It did if each of its
// containers ran. A container that is not essential need not have run: it may have
// failed by itself, or its host may not have named it.
func allContainersRan(r *fleet.TaskReport, t *fleet.TaskState, d *fleet.TaskDefinition) bool {
	any := false
	for _, tc := range t.Containers {
		i := slices.IndexFunc(r.Containers, func(x fleet.ContainerReport) bool { return x.Name == tc.Name })
		switch {
		case i >= 0 && hasRun(&r.Containers[i]):
			any = any || essential(d, tc.Name)
		case essential(d, tc.Name):
			return false
		case i >= 0 && !isStartError(r.Containers[i].Reason):
			return false // it had not begun
		}
	}
	return any
}

// hasRun reports whether a container that has ended ever ran. Its reason alone is not
// enough: if the registry did not answer and the container ran from the image on the
// host, agents give such a container a reason too.
func hasRun(c *fleet.ContainerReport) bool {
	return c.RuntimeID != "" && c.ExitCode != nil && !strings.HasPrefix(c.Reason, "CannotStartContainerError")
}

// isStartError reports whether a reason is an error by which a container failed to
// start. The reason that its task ended before it began is no such error.
func isStartError(reason string) bool {
	return isError(reason) && !strings.HasPrefix(reason, "TaskStoppedBeforePullBeginError")
}

// isError reports whether a container's reason has the form of an agent's errors,
// "CannotPullContainerError: …".
func isError(reason string) bool {
	name, _, ok := strings.Cut(reason, ":")
	return ok && strings.HasSuffix(name, "Error")
}

// startError returns the error that prevented a task from running, or "". An error
// that follows from another container's error is used only if there is no other.
// Among the others, that of an essential container comes first.
func startError(r *fleet.TaskReport, d *fleet.TaskDefinition) string {
	var best string
	rank := 0
	for i := range r.Containers {
		c := &r.Containers[i]
		n := 0
		switch {
		case !isStartError(c.Reason) || hasRun(c) && !strings.HasPrefix(c.Reason, "OutOfMemoryError"):
		case followsFromAnother(c.Reason):
			n = 1
		case !essential(d, c.Name):
			n = 2
		default:
			n = 3
		}
		if n > rank {
			best, rank = c.Reason, n
		}
	}
	return best
}

// followsFromAnother reports whether an error only says that another container of the
// task is missing, or did not reach the state that this one depends on.
func followsFromAnother(reason string) bool {
	return strings.Contains(reason, "dependency graph:") || strings.Contains(reason, "No such container:")
}

func essential(d *fleet.TaskDefinition, name string) bool {
	if d == nil {
		return true
	}
	for i := range d.Definition.ContainerDefinitions {
		if c := &d.Definition.ContainerDefinitions[i]; aws.ToString(c.Name) == name {
			return aws.ToBool(c.Essential)
		}
	}
	return false
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
