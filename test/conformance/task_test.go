package conformance

import (
	"errors"
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

const (
	idempotency = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html"
	lifecycle   = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html"
	failureList = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html"
	someID      = "0123456789abcdef0123456789abcdef"
)

// refusedRun is a case of a RunTask call that is wrong in one way.
func refusedRun(name, cite, code string, change func(in *ecs.RunTaskInput), words ...string) Case {
	return refusedWith(name, cite, code, nil, change, words...)
}

func refusedWith(name, cite, code string, define func(*ecs.RegisterTaskDefinitionInput), change func(in *ecs.RunTaskInput), words ...string) Case {
	return Case{Name: "RunTask refuses " + name, Cite: cite, Run: func(c *C) {
		cluster := c.Cluster()
		if define == nil {
			define = func(*ecs.RegisterTaskDefinitionInput) {}
		}
		in := &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: aws.String(c.Sleeper(define))}
		change(in)
		_, err := c.ECS.RunTask(c.Ctx(), in)
		c.Refused(err, code, words...)
	}}
}

// overriding sets an override of the container main.
func overriding(o types.ContainerOverride) func(*ecs.RunTaskInput) {
	return func(in *ecs.RunTaskInput) {
		o.Name = aws.String("main")
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{o}}
	}
}

// strategies sets one placement strategy.
func strategies(t types.PlacementStrategyType, field string) func(*ecs.RunTaskInput) {
	return func(in *ecs.RunTaskInput) {
		in.PlacementStrategy = []types.PlacementStrategy{{Type: t}}
		if field != "" {
			in.PlacementStrategy[0].Field = &field
		}
	}
}

func inAwsvpc(in *ecs.RegisterTaskDefinitionInput) { in.NetworkMode = types.NetworkModeAwsvpc }

func forFargate(in *ecs.RegisterTaskDefinitionInput) {
	in.NetworkMode, in.Cpu, in.Memory = types.NetworkModeAwsvpc, aws.String("256"), aws.String("512")
}

// offersAwsvpc is a host that says what no agent offers yet, for Fargate's tasks.
var offersAwsvpc = Spec{Attributes: map[string]string{"ashore.network-mode.awsvpc": "true", "ecs.capability.task-cpu-mem-limit": "true"}}

// network is a network configuration with so many subnets and security groups.
func network(subnets, groups int, public types.AssignPublicIp) *types.NetworkConfiguration {
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: slices.Repeat([]string{"subnet-0123456789abcdef0"}, subnets), SecurityGroups: slices.Repeat([]string{"sg-0123456789abcdef0"}, groups), AssignPublicIp: public,
	}}
}

func tags(n int) (out []types.Tag) {
	for i := range n {
		out = append(out, types.Tag{Key: aws.String("key" + strings.Repeat("x", i)), Value: aws.String("v")})
	}
	return out
}

const parameter, clientError = "InvalidParameterException", "ClientException"

var runRefusals = []Case{
	refusedRun("a cluster that is not there", "model: RunTaskInput.cluster", "ClusterNotFoundException", func(in *ecs.RunTaskInput) { in.Cluster = aws.String("conformance-none") }, "cluster not found"),
	refusedRun("a definition that is not there", "model: RunTaskInput.taskDefinition", clientError, func(in *ecs.RunTaskInput) { in.TaskDefinition = aws.String("conformance-none") }, "TaskDefinition not found"),
	refusedRun("a revision that is not there", "model: RunTaskInput.taskDefinition", clientError, func(in *ecs.RunTaskInput) { *in.TaskDefinition += "9" }, "TaskDefinition not found"),
	refusedRun("an empty definition", "model: RunTaskInput.taskDefinition", parameter, func(in *ecs.RunTaskInput) { in.TaskDefinition = aws.String("") }, "TaskDefinition"),
	refusedRun("a count of 0", "model: RunTaskInput.count", parameter, func(in *ecs.RunTaskInput) { in.Count = aws.Int32(0) }, "count"),
	refusedRun("a count of 11", "model: RunTaskInput.count", parameter, func(in *ecs.RunTaskInput) { in.Count = aws.Int32(11) }, "count"),
	refusedRun("a negative count", "model: RunTaskInput.count", parameter, func(in *ecs.RunTaskInput) { in.Count = aws.Int32(-1) }, "count"),
	refusedRun("an unknown launch type", "model: RunTaskInput.launchType", parameter, func(in *ecs.RunTaskInput) { in.LaunchType = "MOON" }, "launchType"),
	refusedRun("a launch type with a strategy", "model: RunTaskInput.capacityProviderStrategy", parameter, func(in *ecs.RunTaskInput) {
		in.LaunchType = types.LaunchTypeEc2
		in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}}
	}, "launch type", "capacity provider"),
	refusedRun("a provider that the cluster does not have", "model: RunTaskInput.capacityProviderStrategy", parameter, func(in *ecs.RunTaskInput) {
		in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("conformance-none"), Weight: 1}}
	}, "capacity provider", "not associated with the cluster"),
	refusedRun("managed instances by launch type", "model: RunTaskInput.launchType", parameter, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeManagedInstances }, "MANAGED_INSTANCES"),
	refusedRun("a launch type that the definition does not suit", "model: RunTaskInput.launchType", parameter, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeFargate }, "FARGATE"),
	refusedWith("EXTERNAL with awsvpc", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-anywhere.html", parameter, inAwsvpc,
		func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeExternal }, "EXTERNAL"),
	refusedRun("a platform version on EC2", "model: RunTaskInput.platformVersion", parameter, func(in *ecs.RunTaskInput) {
		in.LaunchType, in.PlatformVersion = types.LaunchTypeEc2, aws.String("1.4.0")
	}, "platform version"),
	refusedWith("a platform version that is not there", "model: RunTaskInput.platformVersion", "PlatformUnknownException", forFargate, func(in *ecs.RunTaskInput) {
		in.LaunchType, in.PlatformVersion, in.NetworkConfiguration = types.LaunchTypeFargate, aws.String("9.9.9"), network(1, 0, "")
	}, "platform version"),
	refusedRun("a network configuration without awsvpc", "model: RunTaskInput.networkConfiguration", parameter, func(in *ecs.RunTaskInput) { in.NetworkConfiguration = network(1, 0, "") }, "network configuration"),
	refusedWith("awsvpc without a network configuration", "model: RunTaskInput.networkConfiguration", parameter, inAwsvpc, func(*ecs.RunTaskInput) {}, "network configuration"),
	refusedWith("no subnets", "model: AwsVpcConfiguration.subnets", parameter, inAwsvpc, func(in *ecs.RunTaskInput) {
		in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{}}}
	}, "subnets"),
	refusedWith("17 subnets", "model: AwsVpcConfiguration.subnets", parameter, inAwsvpc, func(in *ecs.RunTaskInput) { in.NetworkConfiguration = network(17, 0, "") }, "subnets", "16"),
	refusedWith("6 security groups", "model: AwsVpcConfiguration.securityGroups", parameter, inAwsvpc, func(in *ecs.RunTaskInput) { in.NetworkConfiguration = network(1, 6, "") }, "securityGroups", "5"),
	refusedWith("an unknown assignPublicIp", "model: AwsVpcConfiguration.assignPublicIp", parameter, inAwsvpc, func(in *ecs.RunTaskInput) { in.NetworkConfiguration = network(1, 0, "MAYBE") }, "assignPublicIp"),
	refusedWith("a public address on EC2", "model: AwsVpcConfiguration.assignPublicIp", parameter, inAwsvpc, func(in *ecs.RunTaskInput) {
		in.LaunchType, in.NetworkConfiguration = types.LaunchTypeEc2, network(1, 0, types.AssignPublicIpEnabled)
	}, "public IP"),
	refusedWith("a size that Fargate does not have", "model: TaskOverride.cpu", parameter, forFargate, func(in *ecs.RunTaskInput) {
		in.LaunchType, in.NetworkConfiguration = types.LaunchTypeFargate, network(1, 0, "")
		in.Overrides = &types.TaskOverride{Cpu: aws.String("1024")}
	}, "Fargate"),
	refusedRun("ephemeral storage on EC2", "model: TaskOverride.ephemeralStorage", parameter, func(in *ecs.RunTaskInput) {
		in.LaunchType = types.LaunchTypeEc2
		in.Overrides = &types.TaskOverride{EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 30}}
	}, "ephemeralStorage"),
	refusedWith("too little ephemeral storage", "model: EphemeralStorage.sizeInGiB", parameter, forFargate, func(in *ecs.RunTaskInput) {
		in.LaunchType, in.NetworkConfiguration = types.LaunchTypeFargate, network(1, 0, "")
		in.Overrides = &types.TaskOverride{EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 20}}
	}, "ephemeralStorage"),
	refusedRun("an override of a container that is not there", "model: ContainerOverride.name", parameter, func(in *ecs.RunTaskInput) {
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("other")}}}
	}, "override", "other"),
	refusedRun("an override of no container", "model: ContainerOverride.name", parameter, func(in *ecs.RunTaskInput) {
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Command: []string{"true"}}}}
	}, "name"),
	refusedRun("overrides beyond 8192 characters", "model: RunTaskInput.overrides", parameter, overriding(types.ContainerOverride{Command: []string{strings.Repeat("x", 8192)}}), "8192"),
	refusedRun("an override of memory below 4 MiB", "model: ContainerOverride.memory", parameter, overriding(types.ContainerOverride{Memory: aws.Int32(3)}), "memory"),
	refusedRun("an override of a negative cpu", "model: ContainerOverride.cpu", parameter, overriding(types.ContainerOverride{Cpu: aws.Int32(-1)}), "cpu"),
	refusedRun("a soft limit above the hard one", "model: ContainerOverride.memoryReservation", parameter, overriding(types.ContainerOverride{Memory: aws.Int32(10), MemoryReservation: aws.Int32(20)}), "memoryReservation"),
	refusedRun("a variable without a name", "model: ContainerOverride.environment", parameter, overriding(types.ContainerOverride{Environment: []types.KeyValuePair{{Name: aws.String(""), Value: aws.String("v")}}}), "environment"),
	refusedRun("an environment file that is no object", "model: EnvironmentFile.value", parameter, overriding(types.ContainerOverride{EnvironmentFiles: []types.EnvironmentFile{{Type: types.EnvironmentFileTypeS3, Value: aws.String("file.env")}}}), "environmentFiles"),
	refusedRun("an unknown type of environment file", "model: EnvironmentFile.type", parameter, overriding(types.ContainerOverride{EnvironmentFiles: []types.EnvironmentFile{{Type: "disk", Value: aws.String("arn:aws:s3:::b/f.env")}}}), "type"),
	refusedRun("an unknown resource", "model: ResourceRequirement.type", parameter, overriding(types.ContainerOverride{ResourceRequirements: []types.ResourceRequirement{{Type: "TPU", Value: aws.String("1")}}}), "type"),
	refusedRun("no GPUs", "model: ResourceRequirement.value", parameter, overriding(types.ContainerOverride{ResourceRequirements: []types.ResourceRequirement{{Type: types.ResourceTypeGpu, Value: aws.String("0")}}}), "GPU"),
	refusedRun("an accelerator that the definition lacks", "model: InferenceAcceleratorOverride.deviceName", parameter, func(in *ecs.RunTaskInput) {
		in.Overrides = &types.TaskOverride{InferenceAcceleratorOverrides: []types.InferenceAcceleratorOverride{{DeviceName: aws.String("d"), DeviceType: aws.String("t")}}}
	}, "inferenceAccelerator"),
	refusedRun("an override of cpu that is no number", "model: TaskOverride.cpu", parameter, func(in *ecs.RunTaskInput) { in.Overrides = &types.TaskOverride{Cpu: aws.String("much")} }, "cpu"),
	refusedRun("an override of memory that is no number", "model: TaskOverride.memory", parameter, func(in *ecs.RunTaskInput) { in.Overrides = &types.TaskOverride{Memory: aws.String("much")} }, "memory"),
	refusedRun("less memory than the containers have", "model: TaskOverride.memory", parameter, func(in *ecs.RunTaskInput) { in.Overrides = &types.TaskOverride{Memory: aws.String("8")} }, "memory"),
	refusedRun("a role that is none", "model: TaskOverride.executionRoleArn", parameter, func(in *ecs.RunTaskInput) {
		in.Overrides = &types.TaskOverride{ExecutionRoleArn: aws.String("arn:aws:s3:::bucket")}
	}, "executionRoleArn"),
	refusedRun("a startedBy of 129 characters", "model: RunTaskInput.startedBy", parameter, func(in *ecs.RunTaskInput) { in.StartedBy = aws.String(strings.Repeat("x", 129)) }, "startedBy"),
	refusedRun("a startedBy with a space", "model: RunTaskInput.startedBy", parameter, func(in *ecs.RunTaskInput) { in.StartedBy = aws.String("a b") }, "startedBy"),
	refusedRun("the group of a service", "model: RunTaskInput.group", parameter, func(in *ecs.RunTaskInput) { in.Group = aws.String("service:web") }, "group"),
	refusedRun("a clientToken of 65 characters", idempotency, parameter, func(in *ecs.RunTaskInput) { in.ClientToken = aws.String(strings.Repeat("x", 65)) }, "clientToken"),
	refusedRun("a clientToken with a space", idempotency, parameter, func(in *ecs.RunTaskInput) { in.ClientToken = aws.String("a b") }, "clientToken"),
	refusedRun("tags propagated from a service", "model: RunTaskInput.propagateTags", parameter, func(in *ecs.RunTaskInput) { in.PropagateTags = types.PropagateTagsService }, "propagateTags"),
	refusedRun("51 tags", "model: RunTaskInput.tags", parameter, func(in *ecs.RunTaskInput) { in.Tags = tags(51) }, "tags"),
	refusedRun("a tag of AWS's own", "model: RunTaskInput.tags", parameter, func(in *ecs.RunTaskInput) { in.Tags = []types.Tag{{Key: aws.String("aws:x")}} }, "tags"),
	refusedRun("a tag twice", "model: RunTaskInput.tags", parameter, func(in *ecs.RunTaskInput) { in.Tags = append(tags(1), tags(1)...) }, "tags"),
	refusedRun("11 placement constraints", "model: RunTaskInput.placementConstraints", parameter, func(in *ecs.RunTaskInput) {
		in.PlacementConstraints = slices.Repeat([]types.PlacementConstraint{{Type: types.PlacementConstraintTypeMemberOf, Expression: aws.String("attribute:a == b")}}, 11)
	}, "placementConstraints"),
	refusedRun("6 placement strategies", "model: RunTaskInput.placementStrategy", parameter, func(in *ecs.RunTaskInput) {
		in.PlacementStrategy = slices.Repeat([]types.PlacementStrategy{{Type: types.PlacementStrategyTypeRandom}}, 6)
	}, "placementStrategy"),
	refusedRun("binpack without a field", "model: PlacementStrategy.field", parameter, strategies(types.PlacementStrategyTypeBinpack, ""), "placementStrategy"),
	refusedRun("binpack by a disk", "model: PlacementStrategy.field", parameter, strategies(types.PlacementStrategyTypeBinpack, "disk"), "placementStrategy"),
	refusedRun("spread without a field", "model: PlacementStrategy.field", parameter, strategies(types.PlacementStrategyTypeSpread, ""), "placementStrategy"),
	refusedRun("spread over CPU", "model: PlacementStrategy.field", parameter, strategies(types.PlacementStrategyTypeSpread, "cpu"), "placementStrategy"),
	refusedRun("an unknown placement strategy", "model: PlacementStrategy.type", parameter, strategies("neat", ""), "type"),
	refusedWith("a placement strategy on Fargate", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html", parameter, forFargate, func(in *ecs.RunTaskInput) {
		in.LaunchType, in.NetworkConfiguration = types.LaunchTypeFargate, network(1, 0, "")
		in.PlacementStrategy = []types.PlacementStrategy{{Type: types.PlacementStrategyTypeRandom}}
	}, "FARGATE"),
	refusedRun("a volume that the definition lacks", "model: TaskVolumeConfiguration.name", parameter, func(in *ecs.RunTaskInput) {
		in.VolumeConfigurations = []types.TaskVolumeConfiguration{{Name: aws.String("other"), ManagedEBSVolume: &types.TaskManagedEBSVolumeConfiguration{RoleArn: aws.String("arn:aws:iam::123456789012:role/ebs"), SizeInGiB: aws.Int32(1)}}}
	}, "volume"),
	refusedWith("a volume left open", "model: RunTaskInput.volumeConfigurations", parameter, func(in *ecs.RegisterTaskDefinitionInput) {
		in.Volumes = []types.Volume{{Name: aws.String("data"), ConfiguredAtLaunch: aws.Bool(true)}}
	}, func(*ecs.RunTaskInput) {}, "volume"),
	{Name: "RunTask refuses a definition that is INACTIVE", Cite: "model: RunTaskInput.taskDefinition", Run: func(c *C) {
		cluster, def := c.Cluster(), c.Sleeper()
		_, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &def})
		c.OK(err)
		_, err = c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def})
		c.Refused(err, clientError, "inactive")
	}},
	{Name: "RunTask refuses a cluster without hosts", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/troubleshooting.html", Run: func(c *C) {
		cluster, def := c.Cluster(), c.Sleeper()
		_, err := c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def})
		c.Refused(err, parameter, "No Container Instances were found in your cluster")
	}},
}

// one describes a task, with its tags.
func (c *C) one(cluster, arn string) types.Task {
	c.Helper()
	d, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{arn}, Include: []types.TaskField{types.TaskFieldTags}})
	c.OK(err)
	if len(d.Tasks) != 1 {
		c.Fatalf("described: %+v", d)
	}
	return d.Tasks[0]
}

// running waits, as the SDK does, until tasks run.
func (c *C) running(cluster string, arns ...string) {
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

var runCases = []Case{
	{Name: "A task is placed, runs, and can be waited for", Cite: lifecycle, Needs: Hosts, Run: func(c *C) {
		cluster, def := c.Room(), c.Sleeper()
		out, err := c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def})
		c.OK(err)
		if len(out.Tasks) != 1 || len(out.Failures) != 0 {
			c.Fatalf("%+v", out.Failures)
		}
		task := out.Tasks[0]
		c.StopAtEnd(cluster, *task.TaskArn)
		if aws.ToString(task.LastStatus) != "PENDING" || aws.ToString(task.DesiredStatus) != "RUNNING" || aws.ToString(task.ContainerInstanceArn) == "" || task.CreatedAt == nil {
			c.Errorf("answered: %+v", task)
		}
		c.running(cluster, *task.TaskArn)
		got := c.one(cluster, *task.TaskArn)
		if aws.ToString(got.LastStatus) != "RUNNING" || got.StartedAt == nil || len(got.Containers) != 1 || aws.ToString(got.Containers[0].LastStatus) != "RUNNING" || got.Version <= task.Version {
			c.Errorf("running: %+v", got)
		}
	}},
	{Name: "Up to ten tasks are run at once", Cite: "model: RunTaskInput.count", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		arns := c.Run(cluster, c.Sleeper(), 10)
		slices.Sort(arns)
		if len(slices.Compact(arns)) != 10 {
			c.Errorf("%v", arns)
		}
	}},
	{Name: "A family alone means its latest ACTIVE revision", Cite: "model: RunTaskInput.taskDefinition", Needs: Hosts, Run: func(c *C) {
		cluster, def := c.Room(), c.Sleeper()
		family, _, _ := strings.Cut(def, ":")
		second := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) { in.Family = &family })
		if got := c.one(cluster, c.Run(cluster, family, 1)[0]); !strings.HasSuffix(*got.TaskDefinitionArn, "/"+second) {
			c.Errorf("%s, want %s", *got.TaskDefinitionArn, second)
		}
	}},
	{Name: "The group is the family unless given", Cite: "model: RunTaskInput.group", Needs: Hosts, Run: func(c *C) {
		cluster, def := c.Room(), c.Sleeper()
		family, _, _ := strings.Cut(def, ":")
		for want, group := range map[string]*string{"family:" + family: nil, "mine": aws.String("mine")} {
			arn := c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.Group = group })[0]
			if got := c.one(cluster, arn); aws.ToString(got.Group) != want {
				c.Errorf("group %q, want %q", aws.ToString(got.Group), want)
			}
		}
	}},
	{Name: "Overrides are shown for every container", Cite: "model: Task.overrides", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		def := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
			second := in.ContainerDefinitions[0]
			second.Name, second.Essential = aws.String("second"), aws.Bool(false)
			in.ContainerDefinitions = append(in.ContainerDefinitions, second)
		})
		arn := c.Run(cluster, def, 1, overriding(types.ContainerOverride{
			Command: []string{"sleep", "1800"}, Cpu: aws.Int32(32), Memory: aws.Int32(64), Environment: []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("b")}},
		}))[0]
		got := c.one(cluster, arn)
		at := slices.IndexFunc(got.Overrides.ContainerOverrides, func(o types.ContainerOverride) bool { return *o.Name == "main" })
		if len(got.Overrides.ContainerOverrides) != 2 || at < 0 {
			c.Fatalf("%+v", got.Overrides)
		}
		if o := got.Overrides.ContainerOverrides[at]; aws.ToInt32(o.Cpu) != 32 || aws.ToInt32(o.Memory) != 64 || strings.Join(o.Command, " ") != "sleep 1800" || len(o.Environment) != 1 {
			c.Errorf("%+v", o)
		}
	}},
	{Name: "The task's size is overridden", Cite: "model: TaskOverride.cpu", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		arn := c.Run(cluster, c.Sleeper(), 1, func(in *ecs.RunTaskInput) {
			in.Overrides = &types.TaskOverride{Cpu: aws.String(".25 vCPU"), Memory: aws.String("0.5 GB")}
		})[0]
		if got := c.one(cluster, arn); aws.ToString(got.Cpu) != "256" || aws.ToString(got.Memory) != "512" {
			c.Errorf("cpu %s, memory %s", aws.ToString(got.Cpu), aws.ToString(got.Memory))
		}
	}},
	{Name: "Tags come from the request and, asked for, from the definition", Cite: "model: RunTaskInput.propagateTags", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		def := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
			in.Tags = []types.Tag{{Key: aws.String("from"), Value: aws.String("definition")}, {Key: aws.String("both"), Value: aws.String("definition")}}
		})
		own := []types.Tag{{Key: aws.String("both"), Value: aws.String("request")}}
		plain := c.one(cluster, c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.Tags = own })[0])
		if got := tagged(plain.Tags); len(got) != 1 || got["both"] != "request" {
			c.Errorf("not propagated: %v", got)
		}
		both := c.one(cluster, c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.Tags, in.PropagateTags = own, types.PropagateTagsTaskDefinition })[0])
		if got := tagged(both.Tags); len(got) != 2 || got["both"] != "request" || got["from"] != "definition" {
			c.Errorf("propagated: %v", got)
		}
	}},
	{Name: "Managed tags name the cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		got := c.one(cluster, c.Run(cluster, c.Sleeper(), 1, func(in *ecs.RunTaskInput) { in.EnableECSManagedTags = true })[0])
		if got := tagged(got.Tags); got["aws:ecs:clusterName"] != cluster {
			c.Errorf("%v", got)
		}
	}},
	{Name: "A clientToken runs its tasks once", Cite: idempotency, Needs: Hosts, Run: func(c *C) {
		cluster, def := c.Room(), c.Sleeper()
		in := &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def, Count: aws.Int32(2), ClientToken: aws.String(c.Unique("token"))}
		var first []string
		for range 2 {
			out, err := c.ECS.RunTask(c.Ctx(), in)
			c.OK(err)
			var arns []string
			for _, t := range out.Tasks {
				arns = append(arns, *t.TaskArn)
			}
			slices.Sort(arns)
			if first == nil {
				first = arns
				c.StopAtEnd(cluster, arns...)
			}
			if len(arns) != 2 || !slices.Equal(arns, first) {
				c.Errorf("%v, first %v", arns, first)
			}
		}
		other := *in
		other.Count = aws.Int32(1)
		_, err := c.ECS.RunTask(c.Ctx(), &other)
		c.Refused(err, "ConflictException", "clientToken")
		var conflict *types.ConflictException
		if errors.As(err, &conflict) && len(conflict.ResourceIds) != 2 {
			c.Errorf("resourceIds %v", conflict.ResourceIds)
		}
	}},
	{Name: "What has no room comes back as a failure", Cite: failureList, Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		def := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(4 << 20) })
		out, err := c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def, Count: aws.Int32(2)})
		c.OK(err)
		if len(out.Tasks) != 0 || len(out.Failures) == 0 || aws.ToString(out.Failures[0].Reason) != "RESOURCE:MEMORY" || !strings.Contains(aws.ToString(out.Failures[0].Arn), ":container-instance/") {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "CPU that is not there comes back as a failure", Cite: failureList, Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		def := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Cpu = 1 << 20 })
		out, err := c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def})
		c.OK(err)
		if len(out.Failures) != 1 || aws.ToString(out.Failures[0].Reason) != "RESOURCE:CPU" {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "One host port is given to one task", Cite: failureList, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		def := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(8080)}}
		})
		out, err := c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def, Count: aws.Int32(2)})
		c.OK(err)
		for _, t := range out.Tasks {
			c.StopAtEnd(cluster, *t.TaskArn)
		}
		if len(out.Tasks) != 1 || len(out.Failures) != 1 || aws.ToString(out.Failures[0].Reason) != "RESOURCE:PORTS" {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "A strategy's tasks show their capacity provider", Cite: "model: Task.capacityProviderName", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(offersAwsvpc)
		_, err := c.ECS.PutClusterCapacityProviders(c.Ctx(), &ecs.PutClusterCapacityProvidersInput{
			Cluster: &cluster, CapacityProviders: []string{"FARGATE", "FARGATE_SPOT"}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT"), Weight: 1}},
		})
		c.OK(err)
		arn := c.Run(cluster, c.Sleeper(forFargate), 1, func(in *ecs.RunTaskInput) { in.NetworkConfiguration = network(1, 1, types.AssignPublicIpEnabled) })[0]
		got := c.one(cluster, arn)
		if aws.ToString(got.CapacityProviderName) != "FARGATE_SPOT" || got.LaunchType != types.LaunchTypeFargate || aws.ToString(got.PlatformVersion) == "" || aws.ToString(got.PlatformFamily) != "Linux" {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "A FARGATE task has a platform version and ephemeral storage", Cite: "model: Task.ephemeralStorage", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(offersAwsvpc)
		arn := c.Run(cluster, c.Sleeper(forFargate), 1, func(in *ecs.RunTaskInput) {
			in.LaunchType, in.NetworkConfiguration, in.PlatformVersion = types.LaunchTypeFargate, network(1, 0, ""), aws.String("LATEST")
			in.Overrides = &types.TaskOverride{EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 40}}
		})[0]
		if got := c.one(cluster, arn); got.EphemeralStorage == nil || got.EphemeralStorage.SizeInGiB != 40 || aws.ToString(got.PlatformVersion) != "1.4.0" || aws.ToString(got.Cpu) != "256" {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "With managed scaling tasks wait in PROVISIONING", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		name := c.Unique("provider")
		_, err := c.ECS.CreateCapacityProvider(c.Ctx(), &ecs.CreateCapacityProviderInput{Name: &name, AutoScalingGroupProvider: &types.AutoScalingGroupProvider{
			AutoScalingGroupArn: aws.String("arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:0f1f2f3f-0000-4000-8000-000000000000:autoScalingGroupName/" + name),
			ManagedScaling:      &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled},
		}})
		c.OK(err)
		_, err = c.ECS.PutClusterCapacityProviders(c.Ctx(), &ecs.PutClusterCapacityProvidersInput{
			Cluster: &cluster, CapacityProviders: []string{name}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: &name, Weight: 1}},
		})
		c.OK(err)
		out, err := c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: aws.String(c.Sleeper()), Count: aws.Int32(2)})
		c.OK(err)
		if len(out.Tasks) != 2 {
			c.Fatalf("%+v", out.Failures)
		}
		arns := []string{*out.Tasks[0].TaskArn, *out.Tasks[1].TaskArn}
		if got := c.one(cluster, arns[0]); aws.ToString(got.LastStatus) != "PROVISIONING" || got.ContainerInstanceArn != nil || aws.ToString(got.CapacityProviderName) != name || got.LaunchType != types.LaunchTypeEc2 {
			c.Errorf("%+v", got)
		}
		stopped, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &arns[0]})
		c.OK(err)
		if aws.ToString(stopped.Task.DesiredStatus) != "STOPPED" {
			c.Errorf("%+v", stopped.Task)
		}
		c.Host(cluster, Spec{Attributes: map[string]string{"ashore.capacity-provider": name}})
		c.StopAtEnd(cluster, arns...) // before the host goes
		c.running(cluster, arns[1])
	}},
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
	refusedStart("no instances", "model: StartTaskInput.containerInstances", func(in *ecs.StartTaskInput) { in.ContainerInstances = []string{} }, parameter, "instances"),
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
		c.running(cluster, arn)
		out, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &arn, Reason: aws.String("enough")})
		c.OK(err)
		if aws.ToString(out.Task.DesiredStatus) != "STOPPED" || aws.ToString(out.Task.StoppedReason) != "enough" || out.Task.StopCode != types.TaskStopCodeUserInitiated {
			c.Errorf("answered: %+v", out.Task)
		}
		w := ecs.NewTasksStoppedWaiter(c.ECS, quick)
		c.OK(w.Wait(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{arn}}, patience))
		got := c.one(cluster, arn)
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
		if len(out.Tasks[0].Tags) != 0 || len(c.one(cluster, arn).Tags) != 1 {
			c.Errorf("%+v", out.Tasks[0].Tags)
		}
	}},
}

// listed is every page of a listing.
func (c *C) listed(in *ecs.ListTasksInput) (arns []string) {
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

// lists checks what a listing of a cluster holds.
func (c *C) lists(cluster string, in ecs.ListTasksInput, want ...string) {
	c.Helper()
	in.Cluster = &cluster
	want = slices.Sorted(slices.Values(want))
	if got := c.listed(&in); !slices.Equal(got, want) {
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
	{Name: "ListTasks of an empty cluster is empty", Cite: "model: ListTasksOutput.taskArns", Run: func(c *C) { c.lists(c.Cluster(), ecs.ListTasksInput{}) }},
	{Name: "ListTasks filters by family", Cite: "model: ListTasksInput.family", Needs: Hosts, Run: func(c *C) {
		cluster, def := c.Room(), c.Sleeper()
		family, _, _ := strings.Cut(def, ":")
		arns := c.Run(cluster, def, 3)
		c.Run(cluster, c.Sleeper(), 1)
		c.lists(cluster, ecs.ListTasksInput{Family: &family}, arns...)
		c.lists(cluster, ecs.ListTasksInput{Family: aws.String("conformance-none")})
		c.lists(cluster, ecs.ListTasksInput{Family: &family, LaunchType: types.LaunchTypeFargate})
	}},
	{Name: "ListTasks filters by startedBy", Cite: "model: ListTasksInput.startedBy", Needs: Hosts, Run: func(c *C) {
		cluster, by := c.Room(), c.Unique("by")
		arns := c.Run(cluster, c.Sleeper(), 2, func(in *ecs.RunTaskInput) { in.StartedBy = &by })
		c.Run(cluster, c.Sleeper(), 1)
		c.lists(cluster, ecs.ListTasksInput{StartedBy: &by}, arns...)
	}},
	{Name: "ListTasks filters by container instance", Cite: "model: ListTasksInput.containerInstance", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		of := map[string][]string{}
		for _, arn := range c.Run(cluster, c.Sleeper(), 8) {
			i := *c.one(cluster, arn).ContainerInstanceArn
			of[i] = append(of[i], arn)
		}
		for _, i := range c.Connected(cluster, 2) {
			c.lists(cluster, ecs.ListTasksInput{ContainerInstance: &i}, of[i]...)
		}
	}},
	{Name: "ListTasks filters by desired status", Cite: "model: ListTasksInput.desiredStatus", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arns := c.Run(cluster, c.Sleeper(), 2)
		_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &arns[0]})
		c.OK(err)
		c.lists(cluster, ecs.ListTasksInput{}, arns[1])
		c.lists(cluster, ecs.ListTasksInput{DesiredStatus: types.DesiredStatusRunning}, arns[1])
		c.lists(cluster, ecs.ListTasksInput{DesiredStatus: types.DesiredStatusStopped}, arns[0])
		c.lists(cluster, ecs.ListTasksInput{DesiredStatus: types.DesiredStatusPending})
	}},
	{Name: "ListTasks filters by launch type", Cite: "model: ListTasksInput.launchType", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		def := c.Sleeper()
		ec2 := c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeEc2 })
		external := c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeExternal })
		c.lists(cluster, ecs.ListTasksInput{LaunchType: types.LaunchTypeEc2}, ec2...)
		c.lists(cluster, ecs.ListTasksInput{LaunchType: types.LaunchTypeExternal}, external...)
	}},
	{Name: "ListTasks gives pages", Cite: "model: ListTasksInput.nextToken", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arns := c.Run(cluster, c.Sleeper(), 7)
		c.lists(cluster, ecs.ListTasksInput{MaxResults: aws.Int32(3)}, arns...)
		c.lists(cluster, ecs.ListTasksInput{MaxResults: aws.Int32(1)}, arns...)
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
	refusedList("an unknown launch type", "model: ListTasksInput.launchType", ecs.ListTasksInput{LaunchType: "MOON"}, parameter, "launchType"),
	refusedList("0 results", "model: ListTasksInput.maxResults", ecs.ListTasksInput{MaxResults: aws.Int32(0)}, parameter, "maxResults"),
	refusedList("101 results", "model: ListTasksInput.maxResults", ecs.ListTasksInput{MaxResults: aws.Int32(101)}, parameter, "maxResults"),
	refusedList("a token that is none", "model: ListTasksInput.nextToken", ecs.ListTasksInput{NextToken: aws.String("zzzz")}, parameter, "token"),
	refusedList("startedBy with a family", "model: ListTasksInput.startedBy", ecs.ListTasksInput{StartedBy: aws.String("me"), Family: aws.String("f")}, parameter, "startedBy"),
	refusedList("startedBy with an instance", "model: ListTasksInput.startedBy", ecs.ListTasksInput{StartedBy: aws.String("me"), ContainerInstance: aws.String(someID)}, parameter, "startedBy"),
	refusedList("startedBy with a service", "model: ListTasksInput.startedBy", ecs.ListTasksInput{StartedBy: aws.String("me"), ServiceName: aws.String("s")}, parameter, "startedBy"),
}
