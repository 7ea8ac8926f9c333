package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// TaskHealth is how a task's containers have last been, by their health checks.
// It is written when that changes, not when it is said again. Its absence means
// UNKNOWN.
type TaskHealth struct {
	Containers []ContainerHealth `json:"containers"`
	Version    int64             `json:"version,omitzero"` // grows with each change

	Extra jsontext.Value `json:",embed"`
}

// ContainerHealth is one container's.
type ContainerHealth struct {
	Name   string             `json:"name"`
	Status types.HealthStatus `json:"status"`
	Since  time.Time          `json:"since"`
}

// Of returns how one of the containers is.
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

// Since returns since when one of the containers is as Of says; zero where that is
// not known.
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

// HealthStatus is a task's by its essential containers that have health checks:
// UNHEALTHY where one of them is, HEALTHY where all are, else UNKNOWN.
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

// HasHealthCheck says whether the container has a health check that is run.
// Engines run what starts with CMD or CMD-SHELL. NONE turns the image's own check
// off, and any other word they take without running it: then the container's
// health stays UNKNOWN, as on ECS.
func HasHealthCheck(c *types.ContainerDefinition) bool {
	if c.HealthCheck == nil || len(c.HealthCheck.Command) == 0 {
		return false
	}
	first := c.HealthCheck.Command[0]
	return first == "CMD" || first == "CMD-SHELL"
}

// HealthChecked says whether an essential container of a definition has a health
// check that is run.
func (d *TaskDefinition) HealthChecked() bool {
	for i := range d.Definition.ContainerDefinitions {
		c := &d.Definition.ContainerDefinitions[i]
		if HasHealthCheck(c) && (c.Essential == nil || *c.Essential) {
			return true
		}
	}
	return false
}
