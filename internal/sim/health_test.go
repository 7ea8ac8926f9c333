package sim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The result of a container's health check is visible in DescribeTasks on each server. A
// service replaces an unhealthy task, and an event says so.
func TestHealth(t *testing.T) {
	w := newWorld(t, size{servers: 2, hosts: 2, cpus: 4, memory: 4000, telemetry: time.Hour}) // health does not wait for the other telemetry
	w.family("well", need{cpu: 16, memory: 16, check: true, command: []string{"healthy", "0.1"}})
	w.family("ill", need{cpu: 16, memory: 16, check: true, command: []string{"unhealthy", "0.1"}})
	w.family("unchecked", need{cpu: 16, memory: 16})
	for family, want := range map[string]types.HealthStatus{
		"well": types.HealthStatusHealthy, "ill": types.HealthStatusUnhealthy, "unchecked": types.HealthStatusUnknown,
	} {
		arns := w.mustRun(0, family, 2)
		w.waitStatus(0, arns, "RUNNING")
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
	w.createService("s", "ill", 1)
	s := w.waitService("s", "it tells of the second that is ill", func(s *types.Service) bool {
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

// A container of a PENDING task may be unhealthy while another container waits for it in
// vain. The API shows that, and the service's deployment fails.
func TestHealthOfPendingTasks(t *testing.T) {
	w := newWorld(t, size{servers: 2, hosts: 2, cpus: 4, memory: 4000, telemetry: time.Hour})
	w.define("f", types.ContainerDefinition{
		Name: aws.String("db"), Image: aws.String("sim"), Essential: aws.Bool(true), Cpu: 16, Memory: aws.Int32(16), Command: []string{"unhealthy", "0.1"},
		HealthCheck: &types.HealthCheck{Command: []string{"CMD", "true"}},
	}, types.ContainerDefinition{
		Name: aws.String("app"), Image: aws.String("sim"), Essential: aws.Bool(true), Cpu: 16, Memory: aws.Int32(16),
		DependsOn: []types.ContainerDependency{{ContainerName: aws.String("db"), Condition: types.ContainerConditionHealthy}},
	})
	arns := w.mustRun(0, "f", 1)
	for i := range w.servers {
		w.eventually("its containers are seen as they are", func() bool {
			task := w.status(i, arns)[arns[0]]
			if *task.LastStatus != "PENDING" || task.HealthStatus != types.HealthStatusUnhealthy {
				return false
			}
			for _, c := range task.Containers {
				is := *c.LastStatus + " " + string(c.HealthStatus)
				if *c.Name == "db" && (is != "RUNNING UNHEALTHY" || aws.ToString(c.RuntimeId) == "") || *c.Name == "app" && is != "PENDING UNKNOWN" {
					return false
				}
			}
			return true
		})
	}
	w.createService("s", "f", 1, func(in *ecs.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true}}
	})
	w.waitService("s", "its deployment has failed", func(s *types.Service) bool {
		return s.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed && s.Deployments[0].FailedTasks >= 3
	})
}
