package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	servicesGuide = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html"
	rollingGuide  = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html"
	daemonGuide   = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html#service_scheduler_daemon"
	eventsGuide   = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html"
	breakerGuide  = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html"
	taggingGuide  = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html"
)

// stableService creates a service on hosts of its own and waits until it is stable. The tag
// is a setting of Ashore's: without it, a task without a health check counts as healthy
// only after 40 seconds.
func (c *C) stableService(hosts int, change ...func(*ecs.CreateServiceInput)) *types.Service {
	c.Helper()
	cluster, _ := c.Fleet(make([]Spec, hosts)...)
	return c.stableServiceIn(cluster, change...)
}

// stableServiceIn creates a service in a cluster with hosts.
func (c *C) stableServiceIn(cluster string, change ...func(*ecs.CreateServiceInput)) *types.Service {
	c.Helper()
	in := &ecs.CreateServiceInput{
		Cluster: &cluster, ServiceName: aws.String("web"), TaskDefinition: aws.String(c.Sleeper()), DesiredCount: aws.Int32(3),
		Tags: []types.Tag{{Key: aws.String("ashore.healthy-after"), Value: aws.String("0")}},
	}
	for _, f := range change {
		f(in)
	}
	out, err := c.ECS.CreateService(c.Ctx(), in)
	c.OK(err)
	c.Cleanup(func() { c.deleteService(out.Service) })
	c.stable(out.Service)
	return c.describeService(out.Service)
}

func (c *C) stable(s *types.Service) {
	c.Helper()
	w := ecs.NewServicesStableWaiter(c.ECS, func(o *ecs.ServicesStableWaiterOptions) { o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second })
	if err := w.Wait(c.Ctx(), &ecs.DescribeServicesInput{Cluster: s.ClusterArn, Services: []string{*s.ServiceArn}}, patience); err != nil {
		c.Fatalf("%v: %+v", err, c.describeService(s))
	}
}

// deleteService deletes a service and waits until it is INACTIVE.
func (c *C) deleteService(s *types.Service) {
	c.Helper()
	ctx := context.Background()
	if _, err := c.ECS.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: s.ClusterArn, Service: s.ServiceArn, Force: aws.Bool(true)}); err != nil {
		c.Errorf("deleting: %v", err)
		return
	}
	w := ecs.NewServicesInactiveWaiter(c.ECS, func(o *ecs.ServicesInactiveWaiterOptions) { o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second })
	if err := w.Wait(ctx, &ecs.DescribeServicesInput{Cluster: s.ClusterArn, Services: []string{*s.ServiceArn}}, patience); err != nil {
		c.Errorf("waiting until it is INACTIVE: %v", err)
	}
	c.Eventually("its tasks have stopped", func() bool {
		out, err := c.ECS.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{*s.ClusterArn}})
		return err != nil || len(out.Clusters) == 0 || out.Clusters[0].RunningTasksCount+out.Clusters[0].PendingTasksCount == 0
	})
}

func (c *C) tasksOf(s *types.Service) []types.Task {
	c.Helper()
	list, err := c.ECS.ListTasks(c.Ctx(), &ecs.ListTasksInput{Cluster: s.ClusterArn, ServiceName: s.ServiceName})
	c.OK(err)
	if len(list.TaskArns) == 0 {
		return nil
	}
	out, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: s.ClusterArn, Tasks: list.TaskArns, Include: []types.TaskField{types.TaskFieldTags}})
	c.OK(err)
	return out.Tasks
}

func taskARNs(tasks []types.Task) []string {
	var arns []string
	for _, t := range tasks {
		arns = append(arns, *t.TaskArn)
	}
	slices.Sort(arns)
	return arns
}

// hasEvent says whether one of a service's events contains all the words.
func hasEvent(s *types.Service, words ...string) bool {
	for _, e := range s.Events {
		all := true
		for _, w := range words {
			all = all && strings.Contains(*e.Message, w)
		}
		if all {
			return true
		}
	}
	return false
}

var serviceRunCases = []Case{
	{Name: "A service runs its tasks and becomes stable", Cite: servicesGuide, Needs: Fleet, Run: func(c *C) {
		s := c.stableService(2)
		if s.RunningCount != 3 || s.PendingCount != 0 || len(s.Deployments) != 1 || s.Deployments[0].RunningCount != 3 {
			c.Errorf("%+v", s)
		}
		for _, t := range c.tasksOf(s) {
			if *t.Group != "service:web" || *t.StartedBy != primary(s) || *t.TaskDefinitionArn != *s.TaskDefinition || *t.LastStatus != "RUNNING" {
				c.Errorf("%+v", t)
			}
		}
		c.Eventually("it says that it is steady", func() bool { return hasEvent(c.describeService(s), "(service web) has reached a steady state.") })
		if !hasEvent(c.describeService(s), "(service web) has started 3 tasks:") {
			c.Errorf("%+v", c.describeService(s).Events)
		}
	}},
	{Name: "A deployment completes", Cite: "model: Deployment.rolloutState", Needs: Fleet, Run: func(c *C) {
		s := c.stableService(1)
		c.Eventually("its deployment is COMPLETED", func() bool { return c.describeService(s).Deployments[0].RolloutState == "COMPLETED" })
		out, err := c.ECS.DescribeServiceDeployments(c.Ctx(), &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*s.CurrentServiceDeployment}})
		c.OK(err)
		if d := out.ServiceDeployments[0]; d.Status != "SUCCESSFUL" || d.FinishedAt == nil || d.TargetServiceRevision.RunningTaskCount != 3 {
			c.Errorf("%+v", d)
		}
		_, err = c.ECS.StopServiceDeployment(c.Ctx(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: s.CurrentServiceDeployment})
		c.Refused(err, "ConflictException")
	}},
	{Name: "A service replaces a task that was stopped", Cite: servicesGuide, Needs: Fleet, Run: func(c *C) {
		s := c.stableService(1)
		gone := *c.tasksOf(s)[0].TaskArn
		_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: s.ClusterArn, Task: &gone})
		c.OK(err)
		c.stable(s)
		tasks := c.tasksOf(s)
		for _, t := range tasks {
			if *t.TaskArn == gone {
				c.Error("the task is still there")
			}
		}
		if len(tasks) != 3 {
			c.Errorf("%d tasks", len(tasks))
		}
	}},
	{Name: "A service is scaled out, in and to nothing", Cite: "model: UpdateServiceInput.desiredCount", Needs: Fleet, Run: func(c *C) {
		s := c.stableService(2)
		for _, n := range []int32{5, 1, 0, 2} {
			c.updated(s, func(in *ecs.UpdateServiceInput) { in.DesiredCount = &n })
			c.stable(s)
			if got := c.describeService(s); got.RunningCount != n {
				c.Errorf("%d, want %d", got.RunningCount, n)
			}
		}
	}},
	{Name: "A rolling update replaces all tasks", Cite: rollingGuide, Needs: Fleet, Run: func(c *C) {
		s := c.stableService(2)
		definition := c.Sleeper()
		c.updated(s, func(in *ecs.UpdateServiceInput) { in.TaskDefinition = &definition })
		c.stable(s)
		for _, t := range c.tasksOf(s) {
			if !strings.HasSuffix(*t.TaskDefinitionArn, definition) {
				c.Errorf("%+v", t)
			}
		}
	}},
	{Name: "A daemon runs one task on each instance", Cite: daemonGuide, Needs: Fleet, Run: func(c *C) {
		s := c.stableService(3, daemon)
		on := map[string]bool{}
		for _, t := range c.tasksOf(s) {
			on[*t.ContainerInstanceArn] = true
		}
		if len(on) != 3 || s.DesiredCount != 3 || s.RunningCount != 3 {
			c.Errorf("%v, %d of %d", on, s.RunningCount, s.DesiredCount)
		}
	}},
	{Name: "A daemon is stable without the instances that are out of contact", Cite: daemonGuide, Needs: Fleet, Run: func(c *C) {
		cluster, hosts := c.Fleet(Spec{}, Spec{})
		c.OK(hosts[0].Stop())
		c.Eventually("it is out of contact", func() bool {
			return len(c.instancesIn(cluster, func(in *ecs.ListContainerInstancesInput) { in.Filter = aws.String("agentConnected == true") })) == 1
		})
		s := c.stableServiceIn(cluster, daemon)
		if s.DesiredCount != 1 || s.RunningCount != 1 {
			c.Errorf("%d of %d", s.RunningCount, s.DesiredCount)
		}
		hosts[0].Start()
		c.Connected(cluster, 2)
		c.stable(s)
		if s := c.describeService(s); s.DesiredCount != 2 || s.RunningCount != 2 {
			c.Errorf("%d of %d", s.RunningCount, s.DesiredCount)
		}
	}},
	{Name: "Tasks get the service's tags", Cite: taggingGuide, Needs: Fleet, Run: func(c *C) {
		s := c.stableService(1, func(in *ecs.CreateServiceInput) {
			in.PropagateTags, in.EnableECSManagedTags = "SERVICE", true
			in.Tags = append(in.Tags, types.Tag{Key: aws.String("team"), Value: aws.String("a")})
		})
		got := map[string]string{}
		for _, t := range c.tasksOf(s)[0].Tags {
			got[*t.Key] = *t.Value
		}
		_, cluster, _ := strings.Cut(*s.ClusterArn, "/")
		if got["team"] != "a" || got["aws:ecs:serviceName"] != "web" || got["aws:ecs:clusterName"] != cluster {
			c.Errorf("%v", got)
		}
	}},
	{Name: "A service without room says why", Cite: eventsGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		c.Connected(cluster, 1)
		out, err := c.ECS.CreateService(c.Ctx(), &ecs.CreateServiceInput{
			Cluster: &cluster, ServiceName: aws.String("web"), TaskDefinition: aws.String(c.Sleeper()), DesiredCount: aws.Int32(1), PlacementConstraints: memberOf("attribute:nowhere == here"),
		})
		c.OK(err)
		c.Eventually("an event says so", func() bool {
			return hasEvent(c.describeService(out.Service), "(service web) was unable to place a task because no container instance met all of its requirements.")
		})
	}},
	{Name: "A deleted service becomes INACTIVE, and its name is free", Cite: deleteServiceAPI, Needs: Fleet, Run: func(c *C) {
		s := c.stableService(1)
		c.deleteService(s)
		old := c.describeService(s)
		if *old.Status != "INACTIVE" || len(old.Deployments) != 0 || old.RunningCount != 0 {
			c.Errorf("%+v", old)
		}
		out, err := c.ECS.CreateService(c.Ctx(), &ecs.CreateServiceInput{Cluster: s.ClusterArn, ServiceName: s.ServiceName, TaskDefinition: s.TaskDefinition, DesiredCount: aws.Int32(1)})
		c.OK(err)
		if primary(out.Service) == primary(s) {
			c.Errorf("%+v", out.Service)
		}
		// It may have events of its own by now.
		for _, e := range out.Service.Events {
			if slices.ContainsFunc(old.Events, func(o types.ServiceEvent) bool { return *o.Id == *e.Id }) {
				c.Errorf("it has an event of the deleted one: %s", *e.Message)
			}
		}
	}},
	{Name: "The circuit breaker goes back to the last completed deployment, and the service is stable", Cite: breakerGuide, Needs: Fleet, Run: func(c *C) {
		cluster, hosts := c.Fleet(Spec{}, Spec{})
		for _, h := range hosts {
			h.Machine().Set(func(f *fake.Config) { f.Images = map[string]runtime.Image{*image: {ID: "sha256:1"}} })
		}
		s := c.stableServiceIn(cluster, func(in *ecs.CreateServiceInput) {
			in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
		})
		c.Eventually("its deployment is COMPLETED", func() bool { return c.describeService(s).Deployments[0].RolloutState == "COMPLETED" })
		was := c.tasksOf(s)
		// The second time the rollback goes back from a deployment that was itself a
		// rollback.
		for range 2 {
			broken := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
				in.ContainerDefinitions[0].Image = aws.String("nowhere.invalid/none:1")
			})
			next := c.updated(s, func(in *ecs.UpdateServiceInput) { in.TaskDefinition = &broken })
			c.stable(s)
			got := c.describeService(s)
			if *got.TaskDefinition != *s.TaskDefinition || got.RunningCount != 3 || got.Deployments[0].RunningCount != 3 || got.Deployments[0].DesiredCount != 3 || primary(got) == primary(next) {
				c.Errorf("%+v", got)
			}
			c.Eventually("the deployment is rolled back", func() bool {
				out, err := c.ECS.DescribeServiceDeployments(c.Ctx(), &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*next.CurrentServiceDeployment}})
				c.OK(err)
				return out.ServiceDeployments[0].Status == "ROLLBACK_SUCCESSFUL"
			})
		}
		c.same("its tasks", taskARNs(c.tasksOf(s)), taskARNs(was))
	}},
	{Name: "StopServiceDeployment goes back to the last completed", Cite: stopGuide, Needs: Fleet, Run: func(c *C) {
		s := c.stableService(1)
		c.Eventually("its deployment is COMPLETED", func() bool { return c.describeService(s).Deployments[0].RolloutState == "COMPLETED" })
		huge := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(1 << 24) })
		next := c.updated(s, func(in *ecs.UpdateServiceInput) { in.TaskDefinition = &huge })
		_, err := c.ECS.StopServiceDeployment(c.Ctx(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: next.CurrentServiceDeployment, StopType: "ROLLBACK"})
		c.OK(err)
		var d types.ServiceDeployment
		c.Eventually("it is rolled back", func() bool {
			out, err := c.ECS.DescribeServiceDeployments(c.Ctx(), &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*next.CurrentServiceDeployment}})
			c.OK(err)
			d = out.ServiceDeployments[0]
			return d.Status == "ROLLBACK_SUCCESSFUL"
		})
		got := c.describeService(s)
		if *got.TaskDefinition != *s.TaskDefinition || d.Rollback == nil || *d.Rollback.ServiceRevisionArn != *s.CurrentServiceRevisions[0].Arn || *got.CurrentServiceDeployment != *next.CurrentServiceDeployment {
			c.Errorf("%+v, %+v", got, d)
		}
	}},
}

func TestServiceRun(t *testing.T) { run(t, serviceRunCases) }
