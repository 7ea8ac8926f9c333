package sim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// What a container's health check says reaches whoever describes its task, on
// each server; a service replaces who is ill, and says so.
func TestHealth(t *testing.T) {
	w := newWorld(t, size{servers: 2, hosts: 2, cpus: 4, memory: 4000, telemetry: time.Hour}) // health does not wait for the rest
	w.family("well", need{cpu: 16, memory: 16, check: true, command: []string{"healthy", "0.1"}})
	w.family("ill", need{cpu: 16, memory: 16, check: true, command: []string{"unhealthy", "0.1"}})
	w.family("unchecked", need{cpu: 16, memory: 16})
	for family, want := range map[string]types.HealthStatus{
		"well": types.HealthStatusHealthy, "ill": types.HealthStatusUnhealthy, "unchecked": types.HealthStatusUnknown,
	} {
		arns := w.mustRun(0, family, 2)
		w.all(0, arns, "RUNNING")
		for i := range w.servers {
			w.eventually(family+" is "+string(want), func() bool {
				for _, task := range w.status(i, arns) {
					if task.HealthStatus != want || len(task.Containers) != 1 || task.Containers[0].HealthStatus != want {
						return false
					}
				}
				return true
			})
		}
	}
	w.create("s", "ill", 1)
	s := w.until("s", "it tells of the second that is ill", func(s *types.Service) bool {
		n := 0
		for _, e := range s.Events {
			if words.ReplaceAllString(*e.Message, "ID") == "(service s) (task ID) failed container health checks." {
				n++
			}
		}
		return n > 1
	})
	if s.Deployments[0].RolloutState != types.DeploymentRolloutStateInProgress {
		t.Errorf("without a task that is well it is %s", s.Deployments[0].RolloutState)
	}
}
