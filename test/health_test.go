package test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/moby/moby/client"
)

// soon is how soon after a health check's first result the API must show it, even on a
// busy machine. Telemetry alone comes every 20 s.
const soon = 5 * time.Second

// TestHealthAtOnce runs real health checks: the API shows the first result at once.
func TestHealthAtOnce(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if err := in.Up(ctx); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t, in, ctx}
	for _, c := range []struct {
		code string
		want types.HealthStatus
	}{{"0", types.HealthStatusHealthy}, {"1", types.HealthStatusUnhealthy}} {
		family := "checked-" + c.code
		if _, err := f.api().RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: &family, ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("page"), Image: aws.String("localhost/ashore/sample:latest"), Cpu: 10, Memory: aws.Int32(32),
			HealthCheck: &types.HealthCheck{Command: []string{"CMD", "exit", c.code}, Interval: aws.Int32(5), Retries: aws.Int32(1)},
		}}}); err != nil {
			t.Fatal(err)
		}
		// One after the other: by chance one may become healthy just before telemetry
		// is sent.
		for range 3 {
			out, err := f.api().RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: &family})
			if err != nil || len(out.Tasks) != 1 {
				t.Fatal(err, out)
			}
			var task types.Task
			f.await(family+" is "+string(c.want), func() bool {
				d, err := f.api().DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: []string{*out.Tasks[0].TaskArn}})
				if err != nil {
					t.Fatal(err)
				}
				task = d.Tasks[0]
				return task.HealthStatus == c.want
			})
			known := time.Now()
			r, err := in.Docker.ContainerInspect(ctx, *task.Containers[0].RuntimeId, client.ContainerInspectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Container.State.Health == nil || len(r.Container.State.Health.Log) == 0 {
				t.Fatal("no check's result")
			}
			took := known.Sub(r.Container.State.Health.Log[0].End)
			t.Logf("%s %s after the first check's end", c.want, took.Round(time.Millisecond))
			if took > soon {
				t.Errorf("known to be %s only %s after the first check", c.want, took)
			}
			if _, err := f.api().StopTask(ctx, &ecs.StopTaskInput{Task: task.TaskArn}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
