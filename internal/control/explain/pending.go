package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// addPending adds what a task that does not run yet is waiting for: pulls, and
// containers that others depend on.
func (e *Explanation) addPending(t *fleet.TaskState, d *fleet.TaskDefinition, now time.Time) {
	for _, p := range t.Report.Pulls {
		text := fmt.Sprintf("Container %s waits for its image", p.Name)
		if c := definitionOf(d, p.Name); c != nil {
			text += " " + aws.ToString(c.Image)
		}
		e.addFinding(fmt.Sprintf("%s, which its host pulls since %s, for %s by now.", text, formatTime(p.Since), now.Sub(p.Since).Round(time.Second)), "")
	}
	if d == nil {
		return
	}
	for i := range d.Definition.ContainerDefinitions {
		c := &d.Definition.ContainerDefinitions[i]
		if reportOf(t, aws.ToString(c.Name)).Status != fleet.TaskPending {
			continue
		}
		for _, on := range dependencies(c) {
			e.addDependency(t, d, aws.ToString(c.Name), on)
		}
	}
}

// dependencies returns the dependencies that a container declares, and those that its
// links imply.
func dependencies(c *types.ContainerDefinition) []types.ContainerDependency {
	list := append([]types.ContainerDependency(nil), c.DependsOn...)
	for _, l := range c.Links {
		name, _, _ := strings.Cut(l, ":")
		list = append(list, types.ContainerDependency{ContainerName: &name, Condition: types.ContainerConditionStart})
	}
	return list
}

// addDependency adds what is missing of a container that another one waits for.
func (e *Explanation) addDependency(t *fleet.TaskState, d *fleet.TaskDefinition, container string, on types.ContainerDependency) {
	name := aws.ToString(on.ContainerName)
	r, health := reportOf(t, name), t.Health.Of(name)
	var met bool
	switch on.Condition {
	case types.ContainerConditionStart:
		met = r.Status != fleet.TaskPending
	case types.ContainerConditionComplete, types.ContainerConditionSuccess:
		met = r.Status == fleet.TaskStopped
	case types.ContainerConditionHealthy:
		met = health == types.HealthStatusHealthy
	}
	if met {
		return
	}
	text := fmt.Sprintf("Container %s waits for the container %s: %s. That is %s", container, name, on.Condition, r.Status)
	if on.Condition != types.ContainerConditionHealthy || r.Status != fleet.TaskRunning {
		e.addFinding(text+".", "")
		return
	}
	text += fmt.Sprintf(", its health is %s", health)
	if since := t.Health.Since(name); !since.IsZero() {
		text += " since " + formatTime(since)
	}
	help := ""
	if health == types.HealthStatusUnhealthy {
		help = "See on its host why the health check fails."
		if c := definitionOf(d, name); c != nil && c.StartTimeout == nil {
			help += fmt.Sprintf(" Without a startTimeout of %s, %s waits for ever.", name, container)
		}
	}
	e.addFinding(text+".", help)
}

func definitionOf(d *fleet.TaskDefinition, name string) *types.ContainerDefinition {
	if d != nil {
		for i := range d.Definition.ContainerDefinitions {
			if c := &d.Definition.ContainerDefinitions[i]; aws.ToString(c.Name) == name {
				return c
			}
		}
	}
	return nil
}

// reportOf returns what is known of a container. A container without a report is
// PENDING.
func reportOf(t *fleet.TaskState, name string) fleet.ContainerReport {
	for _, c := range t.Report.Containers {
		if c.Name == name {
			return c
		}
	}
	return fleet.ContainerReport{Name: name, Status: fleet.TaskPending}
}
