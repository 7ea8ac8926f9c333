// Package report turns what hosts say of their tasks into the tasks' observed
// state. Apply is pure; Put, Settle and Stop write its results, guarded by what
// they rest on. Whoever learns of a task's fate comes here: the handlers of the
// Submit calls, the link with an agent's inventory, a forced deregistration.
package report

import (
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Statement is what a host says of a task: one Submit call.
type Statement struct {
	Status     fleet.TaskStatus // empty: of containers only
	Reason     string
	Containers []types.ContainerStateChange

	PullStarted, PullStopped, ExecutionStopped time.Time
	// Pulls are all pulls that are under way; nil where the host does not tell.
	Pulls *[]fleet.ContainerPull
}

// Apply returns the task's report after a statement, or nil where the statement
// says nothing new. It is pure. Statuses only move forward; containers are taken
// in the statement's order, and one may come twice. What it stores is bounded,
// whatever a host says.
func Apply(t *fleet.TaskState, d *fleet.TaskDefinition, in Statement, now time.Time) *fleet.TaskReport {
	next := &fleet.TaskReport{Status: fleet.TaskPending}
	if t.Report != nil {
		*next = *t.Report
		next.Containers = slices.Clone(t.Report.Containers)
		if next.Status == fleet.TaskStopped {
			return nil // its end is settled
		}
	}
	changed := t.Report == nil
	for i := range in.Containers {
		changed = applyContainer(next, t.Task, d, &in.Containers[i]) || changed
	}
	// Hosts' clocks are their own: what they say lies between the task's
	// creation and now, in the order in which it happens.
	earliest := t.CreatedAt
	for _, at := range []struct{ said, kept *time.Time }{
		{&in.PullStarted, &next.PullStartedAt}, {&in.PullStopped, &next.PullStoppedAt}, {&in.ExecutionStopped, &next.ExecutionStoppedAt},
	} {
		if !at.said.IsZero() && at.kept.IsZero() {
			*at.kept = clamp(*at.said, earliest, now)
			changed = true
		}
		if !at.kept.IsZero() {
			earliest = *at.kept
		}
	}
	if in.Status.Order() > next.Status.Order() {
		next.Status = in.Status
		changed = true
		if in.Status == fleet.TaskRunning {
			next.StartedAt = now
			bindHostPorts(next, t.Task, d)
		}
	}
	if next.Status == fleet.TaskStopped {
		finishReport(next, t, d, fleet.Clip(in.Reason, fleet.MaxReason), now)
	}
	if changed {
		next.Version++
	}
	if pulls := updatePulls(next, t.Task, in.Pulls, now); !slices.Equal(pulls, next.Pulls) {
		next.Pulls = pulls // which is no change of what is shown of the task
	} else if !changed {
		return nil
	}
	return next
}

// pulling are the pulls of a task after a statement. How long one takes is counted
// from what was said of it first.
func updatePulls(r *fleet.TaskReport, t *fleet.Task, reported *[]fleet.ContainerPull, now time.Time) []fleet.ContainerPull {
	if r.Status != fleet.TaskPending || !r.PullStoppedAt.IsZero() {
		return nil
	}
	if reported == nil {
		return r.Pulls
	}
	var out []fleet.ContainerPull
	for _, c := range t.Containers {
		named := func(p fleet.ContainerPull) bool { return p.Name == c.Name }
		i := slices.IndexFunc(*reported, named)
		if i < 0 {
			continue
		}
		p := fleet.ContainerPull{Name: c.Name, Since: clamp((*reported)[i].Since, t.CreatedAt, now)}
		if j := slices.IndexFunc(r.Pulls, named); j >= 0 {
			p = r.Pulls[j]
		}
		out = append(out, p)
	}
	return out
}

func clamp(t, from, to time.Time) time.Time {
	if t.Before(from) {
		t = from
	}
	if t.After(to) {
		t = to
	}
	return t.UTC().Truncate(time.Millisecond)
}

// applyContainer takes over one container's entry and says whether it changed
// anything. Containers that the task does not have (agents have some of their
// own) are passed over.
func applyContainer(r *fleet.TaskReport, t *fleet.Task, d *fleet.TaskDefinition, in *types.ContainerStateChange) bool {
	name := aws.ToString(in.ContainerName)
	if !slices.ContainsFunc(t.Containers, func(c fleet.TaskContainer) bool { return c.Name == name }) {
		return false
	}
	i := slices.IndexFunc(r.Containers, func(c fleet.ContainerReport) bool { return c.Name == name })
	changed := false
	if i < 0 {
		i = len(r.Containers)
		r.Containers = append(r.Containers, fleet.ContainerReport{Name: name, Status: fleet.TaskPending})
		changed = true
	}
	c := &r.Containers[i]
	if s := containerStatus(aws.ToString(in.Status)); s.Order() > c.Status.Order() {
		c.Status = s
		changed = true
	}
	set := func(to *string, v string) {
		if v != "" && v != *to {
			*to = v
			changed = true
		}
	}
	set(&c.Reason, fleet.Clip(aws.ToString(in.Reason), fleet.MaxReason))
	set(&c.RuntimeID, fleet.ClipBytes(aws.ToString(in.RuntimeId), fleet.MaxRuntime))
	set(&c.ImageDigest, fleet.ClipBytes(aws.ToString(in.ImageDigest), fleet.MaxDigest))
	if in.ExitCode != nil && (c.ExitCode == nil || *c.ExitCode != *in.ExitCode) {
		c.ExitCode = in.ExitCode
		changed = true
	}
	if bound := bindingsOf(d, name, in.NetworkBindings); len(bound) > 0 && !slices.EqualFunc(c.NetworkBindings, bound, sameBinding) {
		c.NetworkBindings = bound
		changed = true
	}
	return changed
}

func sameBinding(a, b types.NetworkBinding) bool {
	return aws.ToString(a.BindIP) == aws.ToString(b.BindIP) && aws.ToInt32(a.ContainerPort) == aws.ToInt32(b.ContainerPort) &&
		aws.ToInt32(a.HostPort) == aws.ToInt32(b.HostPort) && a.Protocol == b.Protocol &&
		aws.ToString(a.ContainerPortRange) == aws.ToString(b.ContainerPortRange) && aws.ToString(a.HostPortRange) == aws.ToString(b.HostPortRange)
}

// containerStatus reads a status that an agent sends; agents know a few more
// names for what is PENDING here.
func containerStatus(s string) fleet.TaskStatus {
	switch status := fleet.TaskStatus(strings.ToUpper(s)); status {
	case fleet.TaskRunning, fleet.TaskStopped:
		return status
	}
	return fleet.TaskPending
}

// bindHostPorts derives the bindings of containers on the host's own network:
// agents report none for them.
func bindHostPorts(r *fleet.TaskReport, t *fleet.Task, d *fleet.TaskDefinition) {
	if d == nil || d.Definition.NetworkMode != types.NetworkModeHost {
		return
	}
	for i := range d.Definition.ContainerDefinitions {
		c := &d.Definition.ContainerDefinitions[i]
		var bindings []types.NetworkBinding
		for _, p := range c.PortMappings {
			b := types.NetworkBinding{BindIP: aws.String("0.0.0.0"), Protocol: p.Protocol}
			if p.ContainerPortRange != nil {
				b.ContainerPortRange, b.HostPortRange = p.ContainerPortRange, p.ContainerPortRange
			} else {
				b.ContainerPort, b.HostPort = p.ContainerPort, p.ContainerPort
			}
			bindings = append(bindings, b)
		}
		j := slices.IndexFunc(r.Containers, func(x fleet.ContainerReport) bool { return x.Name == aws.ToString(c.Name) })
		if j >= 0 && len(r.Containers[j].NetworkBindings) == 0 {
			r.Containers[j].NetworkBindings = bindings
		}
	}
}
