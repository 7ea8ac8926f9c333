package conformance

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	describeInstancesAPI  = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html"
	listInstancesAPI      = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html"
	updateStateAPI        = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html"
	updateAgentAPI        = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerAgent.html"
	deregisterInstanceAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html"
	registerInstanceAPI   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterContainerInstance.html"
	drainingGuide         = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html"
	constraintsGuide      = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html"
	queryGuide            = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html"
	failuresGuide         = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html"
	unknownInstance       = "00000000000000000000000000000000"
)

// instance describes one container instance.
func (c *C) instance(cluster, ref string, include ...types.ContainerInstanceField) types.ContainerInstance {
	c.Helper()
	out, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: &cluster, ContainerInstances: []string{ref}, Include: include})
	c.OK(err)
	if len(out.ContainerInstances) != 1 {
		c.Fatalf("%s: %+v", ref, out.Failures)
	}
	return out.ContainerInstances[0]
}

func (c *C) tasks(cluster string, arns []string) []types.Task {
	c.Helper()
	out, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: arns})
	c.OK(err)
	if len(out.Tasks) != len(arns) {
		c.Fatalf("%d of %d tasks are described: %+v", len(out.Tasks), len(arns), out.Failures)
	}
	return out.Tasks
}

func (c *C) deregister(cluster, arn string) {
	c.Helper()
	_, err := c.ECS.DeregisterContainerInstance(c.Ctx(), &ecs.DeregisterContainerInstanceInput{Cluster: &cluster, ContainerInstance: &arn})
	c.OK(err)
}

// state sets the status of container instances.
func resource(list []types.Resource, name string) *types.Resource {
	for i := range list {
		if *list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

var containerInstanceCases = slices.Concat([]Case{
	{Name: "DescribeContainerInstances shows a connected instance", Cite: describeInstancesAPI, Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		i := c.instance(cluster, c.instancesIn(cluster)[0])
		if !i.AgentConnected || *i.Status != "ACTIVE" || i.RegisteredAt == nil || aws.ToString(i.VersionInfo.AgentVersion) == "" {
			c.Errorf("described: %+v", i)
		}
	}},
	{Name: "DescribeContainerInstances has what is registered and what remains", Cite: "model: ContainerInstance.remainingResources", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		i := c.instance(cluster, c.instancesIn(cluster)[0])
		for _, name := range []string{"CPU", "MEMORY", "PORTS", "PORTS_UDP"} {
			if resource(i.RegisteredResources, name) == nil || resource(i.RemainingResources, name) == nil {
				c.Errorf("%s is missing in %+v or %+v", name, i.RegisteredResources, i.RemainingResources)
			}
		}
	}},
	{Name: "A task takes from what remains and gives it back", Cite: "model: ContainerInstance.remainingResources", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arn := c.instancesIn(cluster)[0]
		free := func(name string) int32 {
			return resource(c.instance(cluster, arn).RemainingResources, name).IntegerValue
		}
		cpu, memory := free("CPU"), free("MEMORY")
		task := c.Run(cluster, c.Sleeper(), 1)[0]
		if free("CPU") != cpu-16 || free("MEMORY") != memory-16 {
			c.Errorf("%d of %d CPU units and %d of %d MiB remain", free("CPU"), cpu, free("MEMORY"), memory)
		}
		_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &task})
		c.OK(err)
		c.Eventually("the task's resources are free", func() bool { return free("CPU") == cpu && free("MEMORY") == memory })
	}},
	{Name: "DescribeContainerInstances counts tasks", Cite: "model: ContainerInstance.runningTasksCount", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arn := c.instancesIn(cluster)[0]
		c.Run(cluster, c.Sleeper(), 2)
		c.Eventually("two run", func() bool {
			i := c.instance(cluster, arn)
			return i.RunningTasksCount == 2 && i.PendingTasksCount == 0
		})
	}},
	{Name: "DescribeContainerInstances by short id", Cite: "model: DescribeContainerInstancesInput.containerInstances", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		arn := c.instancesIn(cluster)[0]
		if i := c.instance(cluster, arn[strings.LastIndexByte(arn, '/')+1:]); *i.ContainerInstanceArn != arn {
			c.Errorf("described: %s", *i.ContainerInstanceArn)
		}
	}},
	{Name: "DescribeContainerInstances of an unknown one is a failure", Cite: failuresGuide, Run: func(c *C) {
		out, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: aws.String(c.Cluster()), ContainerInstances: []string{unknownInstance}})
		c.OK(err)
		if len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" || !strings.HasSuffix(*out.Failures[0].Arn, unknownInstance) {
			c.Errorf("failures: %+v", out.Failures)
		}
	}},
	{Name: "DescribeContainerInstances refuses none", Cite: "model: DescribeContainerInstancesInput.containerInstances", Run: func(c *C) {
		_, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: aws.String(c.Cluster()), ContainerInstances: []string{}})
		c.Refused(err, clientError, "Container Instances cannot be empty.")
	}},
	{Name: "DescribeContainerInstances refuses 101", Cite: "model: DescribeContainerInstancesInput.containerInstances", Run: func(c *C) {
		_, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: aws.String(c.Cluster()), ContainerInstances: slices.Repeat([]string{unknownInstance}, 101)})
		c.Refused(err, "InvalidParameterException", "100")
	}},
	{Name: "DescribeContainerInstances refuses an unknown include", Cite: "model: DescribeContainerInstancesInput.include", Run: func(c *C) {
		_, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: aws.String(c.Cluster()), ContainerInstances: []string{unknownInstance}, Include: []types.ContainerInstanceField{"COLOUR"}})
		c.Refused(err, "InvalidParameterException", "include")
	}},
	{Name: "DescribeContainerInstances refuses an unknown cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html#API_DescribeContainerInstances_Errors", Run: func(c *C) {
		_, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: aws.String(c.Unique("none")), ContainerInstances: []string{unknownInstance}})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "An instance has the id of its machine", Cite: "model: ContainerInstance.ec2InstanceId", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		for _, arn := range c.Connected(cluster, 1) {
			if i := c.instance(cluster, arn); !regexp.MustCompile("^m?i-[0-9a-f]{17}$").MatchString(aws.ToString(i.Ec2InstanceId)) {
				c.Errorf("it is %q", aws.ToString(i.Ec2InstanceId))
			}
		}
	}},
	{Name: "Tags are included when asked for", Cite: "model: DescribeContainerInstancesInput.include", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		out, err := c.ECS.RegisterContainerInstance(c.Ctx(), &ecs.RegisterContainerInstanceInput{
			Cluster: &cluster, TotalResources: resources(1, 1), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		})
		c.OK(err)
		c.Cleanup(func() { c.deregisterHosts(cluster) })
		arn := *out.ContainerInstance.ContainerInstanceArn
		if i := c.instance(cluster, arn); len(i.Tags) != 0 {
			c.Errorf("unasked: %+v", i.Tags)
		}
		if i := c.instance(cluster, arn, types.ContainerInstanceFieldTags); len(i.Tags) != 1 || *i.Tags[0].Key != "k" {
			c.Errorf("asked: %+v", i.Tags)
		}
	}},
	{Name: "Health is included when asked for", Cite: "model: ContainerInstance.healthStatus", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		if i := c.instance(cluster, arn); i.HealthStatus != nil {
			c.Errorf("unasked: %+v", i.HealthStatus)
		}
		if i := c.instance(cluster, arn, types.ContainerInstanceFieldContainerInstanceHealth); i.HealthStatus == nil || i.HealthStatus.OverallStatus == "" {
			c.Errorf("asked: %+v", i.HealthStatus)
		}
	}},
	{Name: "A change makes the instance's version grow", Cite: "model: ContainerInstance.version", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		before := c.instance(cluster, arn).Version
		_, err := c.putAttributes(cluster, withTarget(arn, "a=1"))
		c.OK(err)
		if now := c.instance(cluster, arn).Version; now <= before {
			c.Errorf("the version was %d and is %d", before, now)
		}
	}},

	{Name: "ListContainerInstances of an empty cluster", Cite: listInstancesAPI, Run: func(c *C) {
		c.same("listed", c.instancesIn(c.Cluster()), nil)
	}},
	{Name: "ListContainerInstances in pages gives each once", Cite: "model: ListContainerInstancesInput.maxResults", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		var want []string
		for range 5 {
			want = append(want, c.Machine(cluster))
		}
		for _, size := range []int32{1, 2, 5, 100} {
			c.same("listed", c.instancesIn(cluster, func(in *ecs.ListContainerInstancesInput) { in.MaxResults = &size }), sorted(want...))
		}
	}},
	{Name: "ListContainerInstances refuses pages of none", Cite: "model: ListContainerInstancesInput.maxResults", Run: func(c *C) {
		_, err := c.ECS.ListContainerInstances(c.Ctx(), &ecs.ListContainerInstancesInput{Cluster: aws.String(c.Cluster()), MaxResults: aws.Int32(0)})
		c.Refused(err, "InvalidParameterException", "maxResults")
	}},
	{Name: "ListContainerInstances refuses a token of its own making", Cite: "model: ListContainerInstancesInput.nextToken", Run: func(c *C) {
		_, err := c.ECS.ListContainerInstances(c.Ctx(), &ecs.ListContainerInstancesInput{Cluster: aws.String(c.Cluster()), NextToken: aws.String("nonsense")})
		c.Refused(err, "InvalidParameterException", "token")
	}},
	{Name: "ListContainerInstances refuses an unknown status", Cite: "model: ListContainerInstancesInput.status", Run: func(c *C) {
		_, err := c.ECS.ListContainerInstances(c.Ctx(), &ecs.ListContainerInstancesInput{Cluster: aws.String(c.Cluster()), Status: "ASLEEP"})
		c.Refused(err, "InvalidParameterException", "status")
	}},
	{Name: "ListContainerInstances refuses an unknown cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html#API_ListContainerInstances_Errors", Run: func(c *C) {
		_, err := c.ECS.ListContainerInstances(c.Ctx(), &ecs.ListContainerInstancesInput{Cluster: aws.String(c.Unique("none"))})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "ListContainerInstances by status", Cite: "model: ListContainerInstancesInput.status", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		one, two := c.Machine(cluster), c.Machine(cluster)
		_, err := c.state(cluster, types.ContainerInstanceStatusDraining, two)
		c.OK(err)
		c.same("all", c.instancesIn(cluster), sorted(one, two))
		c.same("ACTIVE", c.instancesIn(cluster, withStatus(types.ContainerInstanceStatusActive)), []string{one})
		c.same("DRAINING", c.instancesIn(cluster, withStatus(types.ContainerInstanceStatusDraining)), []string{two})
		c.same("REGISTERING", c.instancesIn(cluster, withStatus(types.ContainerInstanceStatusRegistering)), nil)
		c.same("DEREGISTERING", c.instancesIn(cluster, withStatus(types.ContainerInstanceStatusDeregistering)), nil)
		c.same("REGISTRATION_FAILED", c.instancesIn(cluster, withStatus(types.ContainerInstanceStatusRegistrationFailed)), nil)
	}},
	{Name: "ListContainerInstances by status and filter", Cite: listInstancesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		one, two := c.Machine(cluster, "rack=1"), c.Machine(cluster, "rack=1")
		_, err := c.state(cluster, types.ContainerInstanceStatusDraining, two)
		c.OK(err)
		c.same("listed", c.instancesIn(cluster, filtered("attribute:rack == 1"), withStatus(types.ContainerInstanceStatusActive)), []string{one})
	}},
	{Name: "ListContainerInstances by filter in pages", Cite: listInstancesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		var want []string
		for range 3 {
			want = append(want, c.Machine(cluster, "rack=1"))
			c.Machine(cluster, "rack=2")
		}
		c.same("listed", c.instancesIn(cluster, filtered("attribute:rack == 1"), func(in *ecs.ListContainerInstancesInput) { in.MaxResults = aws.Int32(1) }), sorted(want...))
	}},
	{Name: "A filter by the groups of the tasks", Cite: queryGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		task := c.Run(cluster, c.Sleeper(), 1, func(in *ecs.RunTaskInput) { in.Group = aws.String("databases") })
		on := *c.tasks(cluster, task)[0].ContainerInstanceArn
		c.same("task:group == databases", c.instancesIn(cluster, filtered("task:group == databases")), []string{on})
		if not := c.instancesIn(cluster, filtered("not(task:group == databases)")); len(not) != 1 || not[0] == on {
			c.Errorf("not(task:group == databases): %v", not)
		}
	}},
	{Name: "A filter by the number of tasks", Cite: queryGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		on := *c.tasks(cluster, c.Run(cluster, c.Sleeper(), 1))[0].ContainerInstanceArn
		c.Eventually("the task runs", func() bool {
			return slices.Equal(c.instancesIn(cluster, filtered("runningTasksCount == 1")), []string{on})
		})
		if idle := c.instancesIn(cluster, filtered("runningTasksCount < 1")); len(idle) != 1 || idle[0] == on {
			c.Errorf("runningTasksCount < 1: %v", idle)
		}
	}},
	{Name: "A filter by the agent", Cite: queryGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		here := c.instancesIn(cluster)
		c.Machine(cluster)
		c.same("agentConnected == true", c.instancesIn(cluster, filtered("agentConnected == true")), here)
		if away := c.instancesIn(cluster, filtered("agentConnected==false")); len(away) != 1 || away[0] == here[0] {
			c.Errorf("agentConnected==false: %v", away)
		}
	}},
	{Name: "A filter by the time of registration", Cite: queryGuide, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		for _, at := range []string{"2018-06-18T22:28:28+00:00", "2018-06-18T22:28:28Z", "2018-06-18T22:28:28", "2018-06-18"} {
			c.same("registeredAt > "+at, c.instancesIn(cluster, filtered("registeredAt > "+at)), []string{arn})
			c.same("registeredAt < "+at, c.instancesIn(cluster, filtered("registeredAt < "+at)), nil)
		}
		c.same("in future", c.instancesIn(cluster, filtered("registeredAt >= "+time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339))), nil)
	}},

	{Name: "DeregisterContainerInstance makes it INACTIVE", Cite: deregisterInstanceAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		c.deregister(cluster, arn)
		if i := c.instance(cluster, arn); *i.Status != "INACTIVE" || i.AgentConnected {
			c.Errorf("described: %+v", i)
		}
		c.same("listed", c.instancesIn(cluster), nil)
	}},
	{Name: "DeregisterContainerInstance refuses one with tasks", Cite: "model: DeregisterContainerInstanceInput.force", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arn := c.instancesIn(cluster)[0]
		c.Run(cluster, c.Sleeper(), 1)
		_, err := c.ECS.DeregisterContainerInstance(c.Ctx(), &ecs.DeregisterContainerInstanceInput{Cluster: &cluster, ContainerInstance: &arn})
		c.Refused(err, "InvalidParameterException", "running tasks")
	}},
	{Name: "DeregisterContainerInstance by force takes one with tasks", Cite: "model: DeregisterContainerInstanceInput.force", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arn := c.instancesIn(cluster)[0]
		c.Run(cluster, c.Sleeper(), 1)
		_, err := c.ECS.DeregisterContainerInstance(c.Ctx(), &ecs.DeregisterContainerInstanceInput{Cluster: &cluster, ContainerInstance: &arn, Force: aws.Bool(true)})
		c.OK(err)
		c.Eventually("it is INACTIVE", func() bool { return *c.instance(cluster, arn).Status == "INACTIVE" })
	}},
	{Name: "DeregisterContainerInstance refuses an unknown one", Cite: deregisterInstanceAPI, Run: func(c *C) {
		_, err := c.ECS.DeregisterContainerInstance(c.Ctx(), &ecs.DeregisterContainerInstanceInput{Cluster: aws.String(c.Cluster()), ContainerInstance: aws.String(unknownInstance)})
		c.Refused(err, "InvalidParameterException", "not found")
	}},
	{Name: "UpdateContainerAgent has no update for the newest", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerAgent.html#API_UpdateContainerAgent_Errors", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		_, err := c.ECS.UpdateContainerAgent(c.Ctx(), &ecs.UpdateContainerAgentInput{Cluster: &cluster, ContainerInstance: &c.instancesIn(cluster)[0]})
		c.Refused(err, "NoUpdateAvailableException")
	}},
	{Name: "UpdateContainerAgent needs to know the version", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerAgent.html#API_UpdateContainerAgent_Errors", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.ECS.UpdateContainerAgent(c.Ctx(), &ecs.UpdateContainerAgentInput{Cluster: &cluster, ContainerInstance: aws.String(c.Machine(cluster))})
		c.Refused(err, "MissingVersionException")
	}},
	{Name: "UpdateContainerAgent refuses an unknown instance", Cite: updateAgentAPI, Run: func(c *C) {
		_, err := c.ECS.UpdateContainerAgent(c.Ctx(), &ecs.UpdateContainerAgentInput{Cluster: aws.String(c.Cluster()), ContainerInstance: aws.String(unknownInstance)})
		c.Refused(err, "InvalidParameterException", "instance")
	}},
	{Name: "SubmitAttachmentStateChanges refuses an unknown attachment", Cite: "model: AttachmentStateChange.attachmentArn", Needs: Fleet, Run: func(c *C) {
		_, err := c.ECS.SubmitAttachmentStateChanges(c.Ctx(), &ecs.SubmitAttachmentStateChangesInput{Cluster: aws.String(c.Cluster()), Attachments: []types.AttachmentStateChange{
			{AttachmentArn: aws.String("arn:aws:ecs:us-east-1:000000000000:attachment/1234"), Status: aws.String("ATTACHED")},
		}})
		c.Refused(err, "InvalidParameterException", "attachment")
	}},
	badRegistration("an attribute's name of 129 characters", "attributes", func(in *ecs.RegisterContainerInstanceInput) {
		in.Attributes = attributesOf(strings.Repeat("n", 129))
	}),
	badRegistration("eleven custom attributes", "attributes", func(in *ecs.RegisterContainerInstanceInput) {
		in.Attributes = attributesOf(strings.Fields("a b c d e f g h i j k")...)
	}),
	badRegistration("a resource twice", "totalResources", func(in *ecs.RegisterContainerInstanceInput) {
		in.TotalResources = append(in.TotalResources, in.TotalResources[0])
	}),
	badRegistration("a port that is none", "totalResources", func(in *ecs.RegisterContainerInstanceInput) {
		in.TotalResources[2].StringSetValue = []string{"http"}
	}),
	badRegistration("a resource of an unknown type", "totalResources", func(in *ecs.RegisterContainerInstanceInput) {
		in.TotalResources[0].Type = aws.String("COMPLEX")
	}),
	badRegistration("51 tags", "tags", func(in *ecs.RegisterContainerInstanceInput) {
		for i := range 51 {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String(strings.Repeat("k", i+1)), Value: aws.String("v")})
		}
	}),

	{Name: "memberOf narrows the instances", Cite: constraintsGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{Attributes: map[string]string{"rack": "1"}}, Spec{Attributes: map[string]string{"rack": "2"}})
		want := c.instancesIn(cluster, filtered("attribute:rack == 2"))
		for _, t := range c.tasks(cluster, c.Run(cluster, c.Sleeper(), 4, constrained("attribute:rack =~ [23]"))) {
			if *t.ContainerInstanceArn != want[0] {
				c.Errorf("a task is on %s", *t.ContainerInstanceArn)
			}
		}
	}},
	{Name: "memberOf that none meets is a failure", Cite: failuresGuide, Needs: Hosts, Run: func(c *C) {
		out, err := c.try(c.Room(), c.Sleeper(), 1, constrained("attribute:conformance.none exists"))
		c.OK(err)
		if len(out.Failures) != 1 || *out.Failures[0].Reason != "MemberOf placement constraint unsatisfied." {
			c.Errorf("answer: %+v", out.Failures)
		}
	}},
	{Name: "Every constraint must be met", Cite: constraintsGuide, Needs: Hosts, Run: func(c *C) {
		out, err := c.try(c.Room(), c.Sleeper(), 1, constrained("agentConnected == true", "agentConnected == false"))
		c.OK(err)
		if len(out.Tasks) != 0 {
			c.Errorf("answer: %+v", out.Tasks)
		}
	}},
	{Name: "The definition's constraints hold for its tasks", Cite: "model: TaskDefinition.placementConstraints", Needs: Hosts, Run: func(c *C) {
		def := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
			in.PlacementConstraints = []types.TaskDefinitionPlacementConstraint{{Type: types.TaskDefinitionPlacementConstraintTypeMemberOf, Expression: aws.String("attribute:conformance.none exists")}}
		})
		out, err := c.try(c.Room(), def, 1)
		c.OK(err)
		if len(out.Tasks) != 0 || len(out.Failures) != 1 {
			c.Errorf("answer: %+v", out)
		}
	}},
	{Name: "distinctInstance places one task an instance", Cite: constraintsGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		out, err := c.try(cluster, c.Sleeper(), 3, distinct)
		c.OK(err)
		if len(out.Tasks) != 2 || *out.Tasks[0].ContainerInstanceArn == *out.Tasks[1].ContainerInstanceArn {
			c.Errorf("placed: %+v", out.Tasks)
		}
		if len(out.Failures) != 1 || *out.Failures[0].Reason != "DistinctInstance placement constraint unsatisfied." {
			c.Errorf("failures: %+v", out.Failures)
		}
	}},
	{Name: "RunTask refuses a wrong expression", Cite: "model: PlacementConstraint.expression", Needs: Hosts, Run: func(c *C) {
		_, err := c.try(c.Room(), c.Sleeper(), 1, constrained("attribute:stack is prod"))
		c.Refused(err, "InvalidParameterException", "expression")
	}},
	{Name: "RunTask refuses an expression of 2001 characters", Cite: "model: PlacementConstraint.expression", Needs: Hosts, Run: func(c *C) {
		_, err := c.try(c.Room(), c.Sleeper(), 1, constrained("attribute:stack == "+strings.Repeat("x", 2001-len("attribute:stack == "))))
		c.Refused(err, "InvalidParameterException", "expression", "2000")
	}},
	{Name: "RunTask refuses distinctInstance with an expression", Cite: "model: PlacementConstraint.expression", Needs: Hosts, Run: func(c *C) {
		_, err := c.try(c.Room(), c.Sleeper(), 1, distinct, func(in *ecs.RunTaskInput) {
			in.PlacementConstraints[0].Expression = aws.String("agentConnected == true")
		})
		c.Refused(err, "InvalidParameterException", "expression")
	}},
	{Name: "RunTask takes ten constraints and refuses eleven", Cite: "model: RunTaskInput.placementConstraints", Needs: Hosts, Run: func(c *C) {
		room, def := c.Room(), c.Sleeper()
		c.Run(room, def, 1, constrained(slices.Repeat([]string{"agentConnected == true"}, 10)...))
		_, err := c.try(room, def, 1, constrained(slices.Repeat([]string{"agentConnected == true"}, 11)...))
		c.Refused(err, "InvalidParameterException", "placementConstraints", "10")
	}},
}, containerInstanceStateCases, queryCases())

func badRegistration(what, member string, change func(*ecs.RegisterContainerInstanceInput)) Case {
	return Case{Name: "RegisterContainerInstance refuses " + what, Cite: registerInstanceAPI, Needs: Fleet, Run: func(c *C) {
		in := &ecs.RegisterContainerInstanceInput{Cluster: aws.String(c.Cluster()), TotalResources: resources(1, 1)}
		change(in)
		_, err := c.ECS.RegisterContainerInstance(c.Ctx(), in)
		c.Refused(err, "InvalidParameterException", member)
	}}
}

func TestContainerInstance(t *testing.T) { run(t, containerInstanceCases) }
