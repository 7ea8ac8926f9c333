package sim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

// takeEngineAway makes a machine's container engine unreachable. The returned function brings it
// back.
func takeEngineAway(m *Machine) (back func()) {
	m.Set(func(c *fake.Config) {
		was := c.Fail
		back = func() { m.Set(func(c *fake.Config) { c.Fail = was }) }
		c.Fail = func(string, string) error {
			return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("Cannot connect to the Docker daemon")} //nolint:staticcheck // an engine's words
		}
	})
	m.CutEvents()
	return back
}

// A host without its container engine gets no tasks. Its tasks stay, and waiting tasks
// start when the engine is back.
func TestAHostWithoutItsEngine(t *testing.T) {
	w := newWorld(t, size{servers: 2, hosts: 2, cpus: 1, memory: 4000, telemetry: time.Hour, away: 100 * time.Millisecond})
	w.family("f", need{cpu: 256, memory: 16}) // four fill a host
	before := w.mustRun(0, "f", 2)
	w.waitStatus(0, before, "RUNNING")
	back := takeEngineAway(w.hosts[0].Machine())
	var without types.ContainerInstance
	w.eventually("one of the hosts is without its engine, on each server", func() bool {
		for server := range w.servers {
			n := 0
			for _, i := range w.instances(server) {
				if i.HealthStatus != nil && i.HealthStatus.OverallStatus == types.InstanceHealthCheckStateImpaired {
					without = i
					n++
				}
			}
			if n != 1 {
				return false
			}
		}
		return true
	})
	room := 4
	for _, task := range w.status(1, before) {
		if *task.LastStatus != "RUNNING" {
			t.Errorf("a task that ran is %s", *task.LastStatus)
		}
		if *task.ContainerInstanceArn != *without.ContainerInstanceArn {
			room--
		}
	}
	arns, failed, err := w.run(t.Context(), 1, "f", 8)
	if err != nil || len(arns) != room || failed != 8-room {
		t.Fatalf("8 tasks where %d have room: %d, %d failures, %v", room, len(arns), failed, err)
	}
	w.waitStatus(0, arns, "RUNNING")
	start := &ecs.StartTaskInput{Cluster: aws.String(cluster), TaskDefinition: aws.String("f"), ContainerInstances: []string{*without.ContainerInstanceArn}}
	out, err := w.ecs(0).StartTask(t.Context(), start)
	if err != nil || len(out.Failures) != 1 || *out.Failures[0].Reason != "AGENT" || !strings.Contains(*out.Failures[0].Detail, "engine does not answer") {
		t.Errorf("StartTask: %v, %+v", err, out)
	}
	w.createService("s", "f", 1) // finds no room
	w.waitService("s", "it tells that it found no host", func(s *types.Service) bool {
		return len(s.Events) > 0 && strings.Contains(*s.Events[0].Message, "was unable to place a task")
	})
	back()
	w.waitService("s", "its task runs where the engine is back", func(s *types.Service) bool { return s.RunningCount == 1 })
	w.waitStatus(0, before, "RUNNING")
	w.startedOnce(2 + room + 1)
}
