// Package report turns what hosts report about their tasks into the tasks' observed
// state. Apply is pure. Put, EndTask and Stop write its results, guarded by the
// records from which they were derived. Everything that learns what became of a task
// uses this package: the handlers of the Submit calls, the link with an agent's
// inventory, and a forced deregistration.
package report

import (
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Statement is what a host reports about a task: one Submit call.
type Statement struct {
	Status     fleet.TaskStatus // empty: the statement is about containers only
	Reason     string
	Containers []types.ContainerStateChange

	PullStarted, PullStopped, ExecutionStopped time.Time
	// Pulls are all pulls that are under way; nil if the host does not report them.
	Pulls *[]fleet.ContainerPull
}

// Apply returns the task's report after a statement, or nil if the statement contains
// nothing new. It is pure. Statuses only move forward. Containers are applied in the
// statement's order, and one may occur twice. The size of the result is bounded,
// whatever a host reports.
func Apply(t *fleet.TaskState, d *fleet.TaskDefinition, in Statement, now time.Time) *fleet.TaskReport {
	next := &fleet.TaskReport{Status: fleet.TaskPending}
	if t.Report != nil {
		*next = *t.Report
		next.Containers = slices.Clone(t.Report.Containers)
		if next.Status == fleet.TaskStopped {
			return nil // its end is final
		}
	}
	changed := t.Report == nil
	for i := range in.Containers {
		changed = applyContainer(next, t.Task, d, &in.Containers[i]) || changed
	}
	// Hosts' clocks differ from ours. So the times that they report are moved to lie
	// between the task's creation and now, in the order in which the events happen.
	earliest := t.CreatedAt
	for _, at := range []struct{ reported, stored *time.Time }{
		{&in.PullStarted, &next.PullStartedAt}, {&in.PullStopped, &next.PullStoppedAt}, {&in.ExecutionStopped, &next.ExecutionStoppedAt},
	} {
		if !at.reported.IsZero() && at.stored.IsZero() {
			*at.stored = clamp(*at.reported, earliest, now)
			changed = true
		}
		if !at.stored.IsZero() {
			earliest = *at.stored
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
		next.Pulls = pulls // DescribeTasks does not show them, so Version does not change
	} else if !changed {
		return nil
	}
	return next
}

// updatePulls returns the pulls of a task after a statement. A pull that was reported
// before retains its earlier time.
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

// applyContainer applies one container's entry and reports whether it changed
// anything. Containers that the task does not have are ignored; agents have some of
// their own.
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

// containerStatus parses a status that an agent sends. Agents have a few more names
// for states that are PENDING here.
func containerStatus(s string) fleet.TaskStatus {
	switch status := fleet.TaskStatus(strings.ToUpper(s)); status {
	case fleet.TaskRunning, fleet.TaskStopped:
		return status
	}
	return fleet.TaskPending
}

// bindHostPorts derives the bindings of containers on the host's own network, because
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
