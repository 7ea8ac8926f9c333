package crash

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/moby/moby/client"
)

// TestCrashLoop runs a service whose program ends directly after its start. The witness
// must see the starts slow down. An update that repairs the service must not wait.
func TestCrashLoop(t *testing.T) {
	ctx, s := newScene(t)
	good, err := s.API.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(family)})
	if err != nil {
		t.Fatal(err)
	}
	d := good.TaskDefinition
	d.ContainerDefinitions[0].Command = []string{"/program", "ends"}
	bad, err := s.API.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: d.Family, NetworkMode: d.NetworkMode,
		RequiresCompatibilities: d.RequiresCompatibilities, Volumes: d.Volumes, ContainerDefinitions: d.ContainerDefinitions})
	if err != nil {
		t.Fatal(err)
	}
	service := aws.String("loop")
	if _, err := s.API.ECS.CreateService(ctx, &ecs.CreateServiceInput{ServiceName: service, DesiredCount: aws.Int32(1),
		TaskDefinition: bad.TaskDefinition.TaskDefinitionArn, LaunchType: types.LaunchTypeExternal,
		Tags: []types.Tag{{Key: aws.String("ashore.healthy-after"), Value: aws.String("1")}}}); err != nil {
		t.Fatal(err)
	}
	pauses := []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} // before the second start, the third, and so on
	var times []time.Time
	for {
		if times = s.starts(t); len(times) > len(pauses) {
			break
		}
		if err := pause(ctx); err != nil {
			t.Fatalf("%d starts: %v", len(times), err)
		}
	}
	t.Logf("starts: %v", times)
	for i, pause := range pauses {
		if took := times[i+1].Sub(times[i]); took < pause {
			t.Errorf("start %d came %s after the one before, less than %s", i+2, took, pause)
		}
	}
	if _, err := s.API.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Service: service, TaskDefinition: d.TaskDefinitionArn}); err != nil {
		t.Fatal(err)
	}
	for {
		out, err := s.API.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{*service}})
		if err != nil {
			t.Fatal(err)
		}
		if out.Services[0].Deployments[0].RolloutState != types.DeploymentRolloutStateCompleted {
			if err := pause(ctx); err != nil {
				t.Fatal(err)
			}
			continue
		}
		told := slices.DeleteFunc(out.Services[0].Events, func(e types.ServiceEvent) bool {
			return !strings.Contains(*e.Message, "end by themselves within 10 seconds of their start")
		})
		if len(told) != 1 {
			t.Errorf("%d events tell of it: %v", len(told), told)
		}
		return
	}
}

// pause waits a little between two checks.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

// starts returns the start times of the containers that the witness has seen.
func (s *scene) starts(t *testing.T) []time.Time {
	t.Helper()
	seen, err := s.witness.Started()
	if err != nil {
		t.Fatal(err)
	}
	var out []time.Time
	for id, n := range seen {
		r, err := s.Docker.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, r.Container.State.StartedAt)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
