package test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// fleet is an installation in one test.
type fleet struct {
	*testing.T
	in  *installation
	ctx context.Context
}

func (f *fleet) api() *ecs.Client { return f.in.API.ECS }

// define registers a revision with a page on a container's port 80.
func (f *fleet) define(family string, hostPort int32, command ...string) string {
	f.Helper()
	out, err := f.api().RegisterTaskDefinition(f.ctx, &ecs.RegisterTaskDefinitionInput{
		Family: &family, ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("page"), Image: aws.String("localhost/ashore/sample:latest"), Cpu: 10, Memory: aws.Int32(32), Command: command,
			// The page goes on for a moment after SIGTERM, because clients learn of the
			// stop a little later.
			// hears of the stop a little later.
			Environment:  []types.KeyValuePair{{Name: aws.String("PORT"), Value: aws.String("80")}, {Name: aws.String("DRAIN"), Value: aws.String("2s")}},
			PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(hostPort)}},
		}},
	})
	if err != nil {
		f.Fatal(err)
	}
	return *out.TaskDefinition.TaskDefinitionArn
}

func (f *fleet) create(name, definition string, desired int32, config *types.DeploymentConfiguration) {
	f.Helper()
	if _, err := f.api().CreateService(f.ctx, &ecs.CreateServiceInput{
		ServiceName: &name, TaskDefinition: &definition, DesiredCount: &desired, DeploymentConfiguration: config,
		Tags: []types.Tag{{Key: aws.String("ashore.healthy-after"), Value: aws.String("1")}},
	}); err != nil {
		f.Fatal(err)
	}
	f.awaitStable(name)
	f.Cleanup(func() {
		if f.Failed() {
			f.Logf("events of %s:\n%s", name, strings.Join(f.messages(name), "\n"))
		}
	})
}

func (f *fleet) update(in *ecs.UpdateServiceInput) {
	f.Helper()
	if _, err := f.api().UpdateService(f.ctx, in); err != nil {
		f.Fatal(err)
	}
}

// awaitStable waits with the SDK's waiter, and then for the deployment's completion. Running
// tasks are not yet known to be healthy, and a rollback needs a completed deployment.
func (f *fleet) awaitStable(name string) {
	f.Helper()
	w := ecs.NewServicesStableWaiter(f.api(), func(o *ecs.ServicesStableWaiterOptions) { o.MinDelay, o.MaxDelay = 200*time.Millisecond, time.Second })
	if err := w.Wait(f.ctx, &ecs.DescribeServicesInput{Services: []string{name}}, 2*time.Minute); err != nil {
		f.Fatalf("%s: %v\n%s", name, err, strings.Join(f.messages(name), "\n"))
	}
	f.await("the deployment's completion", func() bool {
		return f.service(name).Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
	})
}

func (f *fleet) service(name string) types.Service {
	f.Helper()
	out, err := f.api().DescribeServices(f.ctx, &ecs.DescribeServicesInput{Services: []string{name}})
	if err != nil {
		f.Fatal(err)
	}
	if len(out.Services) != 1 {
		f.Fatalf("%s: %+v", name, out.Failures)
	}
	return out.Services[0]
}

// messages returns a service's events, oldest first.
func (f *fleet) messages(name string) []string {
	f.Helper()
	var all []string
	for _, e := range slices.Backward(f.service(name).Events) {
		all = append(all, e.CreatedAt.Format("15:04:05.000 ")+*e.Message)
	}
	return all
}

// await waits for a condition.
func (f *fleet) await(what string, ok func() bool) {
	f.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(90 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-limit:
			f.Fatalf("not within 90 s: %s", what)
		case <-f.ctx.Done():
			f.Fatal(what, f.ctx.Err())
		}
	}
}

// tasks returns a service's tasks whose desired status is RUNNING.
func (f *fleet) tasks(name string) []types.Task {
	f.Helper()
	all, err := tasksOf(f.ctx, f.api(), name)
	if err != nil {
		f.Fatal(err)
	}
	return all
}

func tasksOf(ctx context.Context, api *ecs.Client, service string) ([]types.Task, error) {
	l, err := api.ListTasks(ctx, &ecs.ListTasksInput{ServiceName: &service})
	if err != nil || len(l.TaskArns) == 0 {
		return nil, err
	}
	d, err := api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: l.TaskArns})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(d.Tasks, func(t types.Task) bool { return *t.DesiredStatus != "RUNNING" }), nil
}

func arns(tasks []types.Task) []string {
	var out []string
	for _, t := range tasks {
		out = append(out, *t.TaskArn)
	}
	slices.Sort(out)
	return out
}

func (f *fleet) delete(name string) {
	f.Helper()
	if _, err := f.api().DeleteService(f.ctx, &ecs.DeleteServiceInput{Service: &name, Force: aws.Bool(true)}); err != nil {
		f.Fatal(err)
	}
}

// runningContainers returns the installation's containers by id, with the engine's creation
// times.
func (f *fleet) runningContainers() map[string]int64 {
	f.Helper()
	all, err := f.in.Containers(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	out := map[string]int64{}
	for _, c := range all {
		if cmp.Or(string(c.State), "running") == "running" {
			out[c.ID] = c.Created
		}
	}
	return out
}
