package report

import (
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// finish completes the report of a task that has ended: every container is
// STOPPED, and the stop code and reason say why in ECS's words.
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
		// It ran so briefly that its host never said so.
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

// allRan says whether a task that was never reported RUNNING was so all the same,
// as a whole, too briefly for its host to say it: each of its containers ran. One
// that is not essential may have failed by itself, or the host has not named it.
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
			return false // it was still to begin
		}
	}
	return any
}

// hasRun says whether a container that has ended ever ran. Its reason alone does
// not tell: agents also give one to a container that ran from the image they had
// although the registry did not answer.
func hasRun(c *fleet.ContainerReport) bool {
	return c.RuntimeID != "" && c.ExitCode != nil && !strings.HasPrefix(c.Reason, "CannotStartContainerError")
}

// failed says whether a reason is an error by which a container failed to start, and
// not that its task ended before it began.
func isStartError(reason string) bool {
	return isError(reason) && !strings.HasPrefix(reason, "TaskStoppedBeforePullBeginError")
}

// isError says whether a container's reason has the form of an agent's errors,
// "CannotPullContainerError: …".
func isError(reason string) bool {
	name, _, ok := strings.Cut(reason, ":")
	return ok && strings.HasSuffix(name, "Error")
}

// cause is the error that kept a task from running. One that follows from another
// container's is told only where there is no other; of the rest an essential
// container's comes first.
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

// followsFromAnother says whether an error only tells that another container of
// the task is missing, or did not become what this one depends on.
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
