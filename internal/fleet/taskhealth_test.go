package fleet

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestTaskHealthStatus(t *testing.T) {
	container := func(name string, essential, check bool) types.ContainerDefinition {
		c := types.ContainerDefinition{Name: aws.String(name), Essential: aws.Bool(essential)}
		if check {
			c.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}}
		}
		return c
	}
	d := &TaskDefinition{Definition: &ecs.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{
		container("a", true, true), container("b", true, true), container("plain", true, false), container("side", false, true),
	}}}
	for _, c := range []struct {
		said string // container=status …
		want types.HealthStatus
	}{
		{"", types.HealthStatusUnknown},
		{"a=HEALTHY", types.HealthStatusUnknown},
		{"a=HEALTHY b=UNKNOWN", types.HealthStatusUnknown},
		{"a=HEALTHY b=HEALTHY", types.HealthStatusHealthy},
		{"a=HEALTHY b=HEALTHY side=UNHEALTHY", types.HealthStatusHealthy},
		{"a=UNKNOWN b=UNHEALTHY", types.HealthStatusUnhealthy},
		{"a=UNHEALTHY b=HEALTHY", types.HealthStatusUnhealthy},
		{"side=HEALTHY", types.HealthStatusUnknown},
	} {
		state := &TaskState{Task: &Task{}, Health: &TaskHealth{}}
		for _, s := range strings.Fields(c.said) {
			name, status, _ := strings.Cut(s, "=")
			state.Health.Containers = append(state.Health.Containers, ContainerHealth{Name: name, Status: types.HealthStatus(status)})
		}
		if is := state.HealthStatus(d); is != c.want {
			t.Errorf("%q makes %s, want %s", c.said, is, c.want)
		}
		state.Report = &TaskReport{Status: TaskStopped}
		if is := state.HealthStatus(d); is != types.HealthStatusUnknown {
			t.Errorf("%q, stopped: %s", c.said, is)
		}
	}
	all := &TaskState{Task: &Task{}, Health: &TaskHealth{Containers: []ContainerHealth{{Name: "plain", Status: types.HealthStatusHealthy}}}}
	if is := all.HealthStatus(&TaskDefinition{Definition: &ecs.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{container("plain", true, false)}}}); is != types.HealthStatusUnknown {
		t.Errorf("without checks: %s", is)
	}
	if is := all.HealthStatus(nil); is != types.HealthStatusUnknown {
		t.Errorf("without a definition: %s", is)
	}
}

// A check that no engine runs does not count: whatever depends on its result would wait
// for ever.
func TestHasHealthCheck(t *testing.T) {
	for command, want := range map[string]bool{
		"CMD true": true, "CMD-SHELL exit 0": true, "NONE": false, "/healthcheck": false, "curl -f http://localhost": false, "cmd true": false, "": false,
	} {
		c := types.ContainerDefinition{Name: aws.String("a"), HealthCheck: &types.HealthCheck{Command: strings.Fields(command)}}
		if got := HasHealthCheck(&c); got != want {
			t.Errorf("%q: %v; want %v", command, got, want)
		}
		d := &TaskDefinition{Definition: &ecs.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{c}}}
		said := &TaskState{Task: &Task{}, Health: &TaskHealth{Containers: []ContainerHealth{{Name: "a", Status: types.HealthStatusHealthy}}}}
		if is := said.HealthStatus(d); (is == types.HealthStatusHealthy) != want || d.HealthChecked() != want {
			t.Errorf("%q makes %s; the definition is checked: %v", command, is, d.HealthChecked())
		}
	}
	if HasHealthCheck(&types.ContainerDefinition{}) {
		t.Error("a container without a healthCheck has one")
	}
}
