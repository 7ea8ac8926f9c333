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
