package conformance

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// listTasks returns all pages of a listing.
func (c *C) listTasks(in *ecs.ListTasksInput) (arns []string) {
	c.Helper()
	for p := ecs.NewListTasksPaginator(c.ECS, in); p.HasMorePages(); {
		out, err := p.NextPage(c.Ctx())
		c.OK(err)
		if in.MaxResults != nil && len(out.TaskArns) > int(*in.MaxResults) {
			c.Errorf("a page of %d", len(out.TaskArns))
		}
		arns = append(arns, out.TaskArns...)
	}
	slices.Sort(arns)
	return arns
}

// checkList checks the tasks in a listing of a cluster.
func (c *C) checkList(cluster string, in ecs.ListTasksInput, want ...string) {
	c.Helper()
	in.Cluster = &cluster
	want = slices.Sorted(slices.Values(want))
	if got := c.listTasks(&in); !slices.Equal(got, want) {
		c.Errorf("%+v lists %v, want %v", in, got, want)
	}
}

func refusedList(name, cite string, in ecs.ListTasksInput, code string, words ...string) Case {
	return Case{Name: "ListTasks refuses " + name, Cite: cite, Run: func(c *C) {
		in := in
		if in.Cluster == nil {
			in.Cluster = aws.String(c.Cluster())
		}
		_, err := c.ECS.ListTasks(c.Ctx(), &in)
		c.Refused(err, code, words...)
	}}
}

var listTaskCases = []Case{
	{Name: "ListTasks of an empty cluster is empty", Cite: "model: ListTasksOutput.taskArns", Run: func(c *C) { c.checkList(c.Cluster(), ecs.ListTasksInput{}) }},
	{Name: "ListTasks filters by family", Cite: "model: ListTasksInput.family", Needs: Hosts, Run: func(c *C) {
		cluster, def := c.Room(), c.Sleeper()
		family, _, _ := strings.Cut(def, ":")
		arns := c.Run(cluster, def, 3)
		c.Run(cluster, c.Sleeper(), 1)
		c.checkList(cluster, ecs.ListTasksInput{Family: &family}, arns...)
		c.checkList(cluster, ecs.ListTasksInput{Family: aws.String("conformance-none")})
		c.checkList(cluster, ecs.ListTasksInput{Family: &family, LaunchType: types.LaunchTypeFargate})
	}},
	{Name: "ListTasks filters by startedBy", Cite: "model: ListTasksInput.startedBy", Needs: Hosts, Run: func(c *C) {
		cluster, by := c.Room(), "ECS Deploy "+c.Unique("by")
		arns := c.Run(cluster, c.Sleeper(), 2, func(in *ecs.RunTaskInput) { in.StartedBy = &by })
		c.Run(cluster, c.Sleeper(), 1)
		c.checkList(cluster, ecs.ListTasksInput{StartedBy: &by}, arns...)
	}},
	{Name: "ListTasks filters by container instance", Cite: "model: ListTasksInput.containerInstance", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		of := map[string][]string{}
		for _, arn := range c.Run(cluster, c.Sleeper(), 8) {
			i := *c.describeTask(cluster, arn).ContainerInstanceArn
			of[i] = append(of[i], arn)
		}
		for _, i := range c.Connected(cluster, 2) {
			c.checkList(cluster, ecs.ListTasksInput{ContainerInstance: &i}, of[i]...)
		}
	}},
	{Name: "ListTasks filters by desired status", Cite: "model: ListTasksInput.desiredStatus", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arns := c.Run(cluster, c.Sleeper(), 2)
		_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &arns[0]})
		c.OK(err)
		c.checkList(cluster, ecs.ListTasksInput{}, arns[1])
		c.checkList(cluster, ecs.ListTasksInput{DesiredStatus: types.DesiredStatusRunning}, arns[1])
		c.checkList(cluster, ecs.ListTasksInput{DesiredStatus: types.DesiredStatusStopped}, arns[0])
		c.checkList(cluster, ecs.ListTasksInput{DesiredStatus: types.DesiredStatusPending})
	}},
	{Name: "ListTasks filters by launch type", Cite: "model: ListTasksInput.launchType", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		def := c.Sleeper()
		ec2 := c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeEc2 })
		external := c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeExternal })
		c.checkList(cluster, ecs.ListTasksInput{LaunchType: types.LaunchTypeEc2}, ec2...)
		c.checkList(cluster, ecs.ListTasksInput{LaunchType: types.LaunchTypeExternal}, external...)
	}},
	{Name: "ListTasks gives pages", Cite: "model: ListTasksInput.nextToken", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arns := c.Run(cluster, c.Sleeper(), 7)
		c.checkList(cluster, ecs.ListTasksInput{MaxResults: aws.Int32(3)}, arns...)
		c.checkList(cluster, ecs.ListTasksInput{MaxResults: aws.Int32(1)}, arns...)
	}},
	{Name: "ListTasks refuses another listing's token", Cite: "model: ListTasksInput.nextToken", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		c.Run(cluster, c.Sleeper(), 2)
		page, err := c.ECS.ListTasks(c.Ctx(), &ecs.ListTasksInput{Cluster: &cluster, MaxResults: aws.Int32(1)})
		c.OK(err)
		_, err = c.ECS.ListTasks(c.Ctx(), &ecs.ListTasksInput{Cluster: &cluster, LaunchType: types.LaunchTypeEc2, NextToken: page.NextToken})
		c.Refused(err, parameter, "token")
	}},
	refusedList("a cluster that is not there", "model: ListTasksInput.cluster", ecs.ListTasksInput{Cluster: aws.String("conformance-none")}, "ClusterNotFoundException"),
	refusedList("a service that is not there", "model: ListTasksInput.serviceName", ecs.ListTasksInput{ServiceName: aws.String("conformance-none")}, "ServiceNotFoundException"),
	refusedList("an instance that is not there", "model: ListTasksInput.containerInstance", ecs.ListTasksInput{ContainerInstance: aws.String(someID)}, parameter, "container instance"),
	refusedList("an unknown desired status", "model: ListTasksInput.desiredStatus", ecs.ListTasksInput{DesiredStatus: "DONE"}, parameter, "desiredStatus"),
	refusedList("an unknown launch type", "model: ListTasksInput.launchType", ecs.ListTasksInput{LaunchType: "MOON"}, parameter, "launch type should be one of [EC2,FARGATE,EXTERNAL"),
	refusedList("0 results", "model: ListTasksInput.maxResults", ecs.ListTasksInput{MaxResults: aws.Int32(0)}, parameter, "maxResults"),
	refusedList("101 results", "model: ListTasksInput.maxResults", ecs.ListTasksInput{MaxResults: aws.Int32(101)}, parameter, "maxResults"),
	refusedList("a token that is none", "model: ListTasksInput.nextToken", ecs.ListTasksInput{NextToken: aws.String("zzzz")}, parameter, "token"),
	refusedList("startedBy with a family", "model: ListTasksInput.startedBy", ecs.ListTasksInput{StartedBy: aws.String("me"), Family: aws.String("f")}, parameter, "startedBy"),
	refusedList("startedBy with an instance", "model: ListTasksInput.startedBy", ecs.ListTasksInput{StartedBy: aws.String("me"), ContainerInstance: aws.String(someID)}, parameter, "startedBy"),
	refusedList("startedBy with a service", "model: ListTasksInput.startedBy", ecs.ListTasksInput{StartedBy: aws.String("me"), ServiceName: aws.String("s")}, parameter, "startedBy"),
}
