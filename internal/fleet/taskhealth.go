package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// TaskHealth is the last health of a task's containers, from their health checks. It is
// written only when it changes. Without this record the health is UNKNOWN.
type TaskHealth struct {
	Containers []ContainerHealth `json:"containers"`
	Version    int64             `json:"version,omitzero"` // grows with each change

	Extra jsontext.Value `json:",embed"`
}

// ContainerHealth is the health of one container.
type ContainerHealth struct {
	Name   string             `json:"name"`
	Status types.HealthStatus `json:"status"`
	Since  time.Time          `json:"since"`
}

// Of returns the health of a container.
func (h *TaskHealth) Of(container string) types.HealthStatus {
	if h != nil {
		for i := range h.Containers {
			if h.Containers[i].Name == container {
				return h.Containers[i].Status
			}
		}
	}
	return types.HealthStatusUnknown
}

// Since returns since when a container has had the health that Of returns, zero if that
// is unknown.
func (h *TaskHealth) Since(container string) time.Time {
	if h != nil {
		for i := range h.Containers {
			if h.Containers[i].Name == container {
				return h.Containers[i].Since
			}
		}
	}
	return time.Time{}
}

// HealthStatus returns a task's health. It depends on the essential containers with
// health checks: UNHEALTHY if one of them is, HEALTHY if all are, else UNKNOWN.
func (t *TaskState) HealthStatus(d *TaskDefinition) types.HealthStatus {
	if t.Health == nil || d == nil || !t.Holds() {
		return types.HealthStatusUnknown
	}
	checks, healthy := 0, 0
	for i := range d.Definition.ContainerDefinitions {
		c := &d.Definition.ContainerDefinitions[i]
		if !HasHealthCheck(c) || c.Name == nil || c.Essential != nil && !*c.Essential {
			continue
		}
		checks++
		switch t.Health.Of(*c.Name) {
		case types.HealthStatusUnhealthy:
			return types.HealthStatusUnhealthy
		case types.HealthStatusHealthy:
			healthy++
		}
	}
	if checks > 0 && healthy == checks {
		return types.HealthStatusHealthy
	}
	return types.HealthStatusUnknown
}

// HasHealthCheck says whether the engine runs a health check for the container. Engines
// run a command that starts with CMD or CMD-SHELL. NONE turns off the image's own
// check. Engines accept any other word, but run nothing. As on ECS the container's
// health stays UNKNOWN then.
func HasHealthCheck(c *types.ContainerDefinition) bool {
	if c.HealthCheck == nil || len(c.HealthCheck.Command) == 0 {
		return false
	}
	first := c.HealthCheck.Command[0]
	return first == "CMD" || first == "CMD-SHELL"
}

// HealthChecked says whether the engine runs a health check for an essential container
// of a definition.
func (d *TaskDefinition) HealthChecked() bool {
	for i := range d.Definition.ContainerDefinitions {
		c := &d.Definition.ContainerDefinitions[i]
		if HasHealthCheck(c) && (c.Essential == nil || *c.Essential) {
			return true
		}
	}
	return false
}
