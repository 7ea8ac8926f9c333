package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestTasks(t *testing.T) {
	run(t, slices.Concat(runRefusals, runCases, startCases, stopCases, describeTaskCases, listTaskCases))
}

func tags(n int) (out []types.Tag) {
	for i := range n {
		out = append(out, types.Tag{Key: aws.String("key" + strings.Repeat("x", i)), Value: aws.String("v")})
	}
	return out
}

// describeTask describes a task with its tags.
func (c *C) describeTask(cluster, arn string) types.Task {
	c.Helper()
	d, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{arn}, Include: []types.TaskField{types.TaskFieldTags}})
	c.OK(err)
	if len(d.Tasks) != 1 {
		c.Fatalf("described: %+v", d)
	}
	return d.Tasks[0]
}

// awaitRunning waits with the SDK's waiter until tasks run.
func (c *C) awaitRunning(cluster string, arns ...string) {
	c.Helper()
	w := ecs.NewTasksRunningWaiter(c.ECS, func(o *ecs.TasksRunningWaiterOptions) { o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second })
	c.OK(w.Wait(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: arns}, patience))
}

func tagged(ts []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range ts {
		out[*t.Key] = aws.ToString(t.Value)
	}
	return out
}

var startCases = []Case{
	{Name: "StartTask puts a task on the instances that it names", Cite: "model: StartTaskInput.containerInstances", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		instances := c.Connected(cluster, 2)
		out, err := c.ECS.StartTask(c.Ctx(), &ecs.StartTaskInput{Cluster: &cluster, TaskDefinition: aws.String(c.Sleeper()), ContainerInstances: instances, StartedBy: aws.String("me"), Group: aws.String("mine")})
		c.OK(err)
		for i, t := range out.Tasks {
			c.StopAtEnd(cluster, *t.TaskArn)
			if *t.ContainerInstanceArn != instances[i] || aws.ToString(t.StartedBy) != "me" || aws.ToString(t.Group) != "mine" {
				c.Errorf("%+v", t)
			}
		}
		if len(out.Tasks) != 2 {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "StartTask reports an instance that is not there", Cite: failureList, Run: func(c *C) {
		cluster := c.Cluster()
		out, err := c.ECS.StartTask(c.Ctx(), &ecs.StartTaskInput{Cluster: &cluster, TaskDefinition: aws.String(c.Sleeper()), ContainerInstances: []string{someID}})
		c.OK(err)
		if len(out.Tasks) != 0 || len(out.Failures) != 1 || aws.ToString(out.Failures[0].Reason) != "MISSING" {
			c.Errorf("%+v", out)
		}
	}},
	refusedStart("no instances", "model: StartTaskInput.containerInstances", func(in *ecs.StartTaskInput) { in.ContainerInstances = []string{} }, clientError, "Container Instances cannot be empty."),
	refusedStart("11 instances", "model: StartTaskInput.containerInstances", func(in *ecs.StartTaskInput) { in.ContainerInstances = slices.Repeat([]string{someID}, 11) }, parameter, "instances"),
	refusedStart("a cluster that is not there", "model: StartTaskInput.cluster", func(in *ecs.StartTaskInput) { in.Cluster = aws.String("conformance-none") }, "ClusterNotFoundException"),
	refusedStart("a definition that is not there", "model: StartTaskInput.taskDefinition", func(in *ecs.StartTaskInput) { in.TaskDefinition = aws.String("conformance-none") }, clientError, "TaskDefinition"),
	refusedStart("an override of a container that is not there", "model: StartTaskInput.overrides", func(in *ecs.StartTaskInput) {
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("other")}}}
	}, parameter, "other"),
	refusedStart("a network configuration without awsvpc", "model: StartTaskInput.networkConfiguration", func(in *ecs.StartTaskInput) { in.NetworkConfiguration = network(1, 0, "") }, parameter, "network configuration"),
	refusedStart("tags propagated from a service", "model: StartTaskInput.propagateTags", func(in *ecs.StartTaskInput) { in.PropagateTags = types.PropagateTagsService }, parameter, "propagateTags"),
}

func refusedStart(name, cite string, change func(*ecs.StartTaskInput), code string, words ...string) Case {
	return Case{Name: "StartTask refuses " + name, Cite: cite, Run: func(c *C) {
		in := &ecs.StartTaskInput{Cluster: aws.String(c.Cluster()), TaskDefinition: aws.String(c.Sleeper()), ContainerInstances: []string{someID}}
		change(in)
		_, err := c.ECS.StartTask(c.Ctx(), in)
		c.Refused(err, code, words...)
	}}
}

var stopCases = []Case{
	{Name: "A task that is stopped ends, with the reason given", Cite: "model: StopTaskInput.reason", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		arn := c.Run(cluster, c.Sleeper(), 1)[0]
		c.awaitRunning(cluster, arn)
		out, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &arn, Reason: aws.String("enough")})
		c.OK(err)
		if aws.ToString(out.Task.DesiredStatus) != "STOPPED" || aws.ToString(out.Task.StoppedReason) != "enough" || out.Task.StopCode != types.TaskStopCodeUserInitiated {
			c.Errorf("answered: %+v", out.Task)
		}
		w := ecs.NewTasksStoppedWaiter(c.ECS, pollOften)
		c.OK(w.Wait(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{arn}}, patience))
		got := c.describeTask(cluster, arn)
		if got.StoppedAt == nil || got.StoppingAt == nil || aws.ToString(got.StoppedReason) != "enough" || got.StopCode != types.TaskStopCodeUserInitiated || aws.ToString(got.Containers[0].LastStatus) != "STOPPED" {
			c.Errorf("stopped: %+v", got)
		}
	}},
	{Name: "A task is stopped by its id as by its ARN, and twice as once", Cite: "model: StopTaskInput.task", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		arn := c.Run(cluster, c.Sleeper(), 1)[0]
		id := arn[strings.LastIndexByte(arn, '/')+1:]
		for _, reason := range []string{"first", "second"} {
			out, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &id, Reason: &reason})
			c.OK(err)
			if aws.ToString(out.Task.TaskArn) != arn || aws.ToString(out.Task.StoppedReason) != "first" {
				c.Errorf("%+v", out.Task)
			}
		}
	}},
	{Name: "StopTask refuses a task that is not there", Cite: "model: StopTaskInput.task", Run: func(c *C) {
		_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: aws.String(c.Cluster()), Task: aws.String(someID)})
		c.Refused(err, parameter, "task was not found")
	}},
	{Name: "StopTask refuses an id that is none", Cite: "model: StopTaskInput.task", Run: func(c *C) {
		_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: aws.String(c.Cluster()), Task: aws.String("task-1")})
		c.Refused(err, parameter, "taskId")
	}},
	{Name: "StopTask refuses a cluster that is not there", Cite: "model: StopTaskInput.cluster", Run: func(c *C) {
		_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: aws.String("conformance-none"), Task: aws.String(someID)})
		c.Refused(err, "ClusterNotFoundException")
	}},
}

var describeTaskCases = []Case{
	{Name: "DescribeTasks reports what is not there", Cite: failureList, Run: func(c *C) {
		out, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: aws.String(c.Cluster()), Tasks: []string{someID}})
		c.OK(err)
		if len(out.Tasks) != 0 || len(out.Failures) != 1 || aws.ToString(out.Failures[0].Reason) != "MISSING" || !strings.HasSuffix(aws.ToString(out.Failures[0].Arn), someID) {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeTasks refuses an empty list", Cite: "model: DescribeTasksInput.tasks", Run: func(c *C) {
		_, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: aws.String(c.Cluster()), Tasks: []string{}})
		c.Refused(err, parameter, "tasks")
	}},
	{Name: "DescribeTasks refuses 101 tasks", Cite: "model: DescribeTasksInput.tasks", Run: func(c *C) {
		_, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: aws.String(c.Cluster()), Tasks: slices.Repeat([]string{someID}, 101)})
		c.Refused(err, parameter, "tasks", "100")
	}},
	{Name: "DescribeTasks refuses an id that is none", Cite: "model: DescribeTasksInput.tasks", Run: func(c *C) {
		_, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: aws.String(c.Cluster()), Tasks: []string{"task-1"}})
		c.Refused(err, parameter, "taskId")
	}},
	{Name: "DescribeTasks refuses an unknown field", Cite: "model: DescribeTasksInput.include", Run: func(c *C) {
		_, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: aws.String(c.Cluster()), Tasks: []string{someID}, Include: []types.TaskField{"ALL"}})
		c.Refused(err, parameter, "include")
	}},
	{Name: "DescribeTasks refuses a cluster that is not there", Cite: "model: DescribeTasksInput.cluster", Run: func(c *C) {
		_, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: aws.String("conformance-none"), Tasks: []string{someID}})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "DescribeTasks shows tags only when asked", Cite: "model: DescribeTasksInput.include", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		arn := c.Run(cluster, c.Sleeper(), 1, func(in *ecs.RunTaskInput) { in.Tags = tags(1) })[0]
		out, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{arn}})
		c.OK(err)
		if len(out.Tasks[0].Tags) != 0 || len(c.describeTask(cluster, arn).Tags) != 1 {
			c.Errorf("%+v", out.Tasks[0].Tags)
		}
	}},
}
