package conformance

import (
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	idempotency = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html"
	lifecycle   = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html"
	failureList = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html"
	someID      = "0123456789abcdef0123456789abcdef"
)

// refusedRun is a case of a RunTask call with one error.
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

// offersAwsvpc is a host with an attribute that no agent has yet, for Fargate's tasks.
var offersAwsvpc = Spec{Attributes: map[string]string{"ashore.network-mode.awsvpc": "true", "ecs.capability.task-cpu-mem-limit": "true"}}

// network returns a network configuration with that many subnets and security groups.
func network(subnets, groups int, public types.AssignPublicIp) *types.NetworkConfiguration {
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: slices.Repeat([]string{"subnet-0123456789abcdef0"}, subnets), SecurityGroups: slices.Repeat([]string{"sg-0123456789abcdef0"}, groups), AssignPublicIp: public,
	}}
}

const parameter, clientError = "InvalidParameterException", "ClientException"

var runRefusals = []Case{
	refusedRun("a cluster that is not there", "model: RunTaskInput.cluster", "ClusterNotFoundException", func(in *ecs.RunTaskInput) { in.Cluster = aws.String("conformance-none") }, "cluster not found"),
	refusedRun("a definition that is not there", "model: RunTaskInput.taskDefinition", clientError, func(in *ecs.RunTaskInput) { in.TaskDefinition = aws.String("conformance-none") }, "TaskDefinition not found"),
	refusedRun("a revision that is not there", "model: RunTaskInput.taskDefinition", clientError, func(in *ecs.RunTaskInput) { *in.TaskDefinition += "9" }, "TaskDefinition not found"),
	refusedRun("a revision that is no number", "https://github.com/hashicorp/terraform/issues/17746", parameter, func(in *ecs.RunTaskInput) { *in.TaskDefinition += "x" }, "Invalid revision number. Number: 1x"),
	refusedRun("an empty definition", "model: RunTaskInput.taskDefinition", parameter, func(in *ecs.RunTaskInput) { in.TaskDefinition = aws.String("") }, "TaskDefinition"),
	refusedRun("a count of 0", "model: RunTaskInput.count", parameter, func(in *ecs.RunTaskInput) { in.Count = aws.Int32(0) }, "count"),
	refusedRun("a count of 11", "model: RunTaskInput.count", parameter, func(in *ecs.RunTaskInput) { in.Count = aws.Int32(11) }, "count"),
	refusedRun("a negative count", "model: RunTaskInput.count", parameter, func(in *ecs.RunTaskInput) { in.Count = aws.Int32(-1) }, "count"),
	refusedRun("an unknown launch type", "model: RunTaskInput.launchType", parameter, func(in *ecs.RunTaskInput) { in.LaunchType = "MOON" }, "launch type should be one of [EC2,FARGATE,EXTERNAL"),
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
	refusedRun("a startedBy of 129 characters", "model: RunTaskInput.startedBy", parameter, func(in *ecs.RunTaskInput) { in.StartedBy = aws.String(strings.Repeat("x", 129)) }, "startedBy longer than"),
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
		in.ContainerDefinitions[0].MountPoints = []types.MountPoint{{SourceVolume: aws.String("data"), ContainerPath: aws.String("/data")}}
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
		c.awaitRunning(cluster, *task.TaskArn)
		got := c.describeTask(cluster, *task.TaskArn)
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
		if got := c.describeTask(cluster, c.Run(cluster, family, 1)[0]); !strings.HasSuffix(*got.TaskDefinitionArn, "/"+second) {
			c.Errorf("%s, want %s", *got.TaskDefinitionArn, second)
		}
	}},
	{Name: "The group is the family unless given", Cite: "model: RunTaskInput.group", Needs: Hosts, Run: func(c *C) {
		cluster, def := c.Room(), c.Sleeper()
		family, _, _ := strings.Cut(def, ":")
		for want, group := range map[string]*string{"family:" + family: nil, "mine": aws.String("mine")} {
			arn := c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.Group = group })[0]
			if got := c.describeTask(cluster, arn); aws.ToString(got.Group) != want {
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
		got := c.describeTask(cluster, arn)
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
		if got := c.describeTask(cluster, arn); aws.ToString(got.Cpu) != "256" || aws.ToString(got.Memory) != "512" {
			c.Errorf("cpu %s, memory %s", aws.ToString(got.Cpu), aws.ToString(got.Memory))
		}
	}},
	{Name: "Tags come from the request and, asked for, from the definition", Cite: "model: RunTaskInput.propagateTags", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		def := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
			in.Tags = []types.Tag{{Key: aws.String("from"), Value: aws.String("definition")}, {Key: aws.String("both"), Value: aws.String("definition")}}
		})
		own := []types.Tag{{Key: aws.String("both"), Value: aws.String("request")}}
		plain := c.describeTask(cluster, c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.Tags = own })[0])
		if got := tagged(plain.Tags); len(got) != 1 || got["both"] != "request" {
			c.Errorf("not propagated: %v", got)
		}
		both := c.describeTask(cluster, c.Run(cluster, def, 1, func(in *ecs.RunTaskInput) { in.Tags, in.PropagateTags = own, types.PropagateTagsTaskDefinition })[0])
		if got := tagged(both.Tags); len(got) != 2 || got["both"] != "request" || got["from"] != "definition" {
			c.Errorf("propagated: %v", got)
		}
	}},
	{Name: "Managed tags name the cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html", Needs: Hosts, Run: func(c *C) {
		cluster := c.Room()
		got := c.describeTask(cluster, c.Run(cluster, c.Sleeper(), 1, func(in *ecs.RunTaskInput) { in.EnableECSManagedTags = true })[0])
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
	// A token belongs to tasks: the conflict names "the existing task ARNs which are
	// already associated with the clientToken" (model: ConflictException.resourceIds).
	// It is kept no longer than these tasks and an hour.
	{Name: "A clientToken whose call placed nothing may be tried again", Cite: idempotency, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		def := c.Sleeper()
		in := &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def, ClientToken: aws.String(c.Unique("token"))}
		constrained("attribute:later exists")(in)
		for range 2 {
			out, err := c.ECS.RunTask(c.Ctx(), in)
			c.OK(err)
			if len(out.Tasks) != 0 || len(out.Failures) == 0 {
				c.Errorf("%+v", out)
			}
		}
		_, err := c.putAttributes(cluster, withTarget(c.instancesIn(cluster)[0], "later"))
		c.OK(err)
		out, err := c.ECS.RunTask(c.Ctx(), in)
		c.OK(err)
		if len(out.Tasks) != 1 {
			c.Errorf("%+v", out)
			return
		}
		c.StopAtEnd(cluster, *out.Tasks[0].TaskArn)
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
		got := c.describeTask(cluster, arn)
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
		if got := c.describeTask(cluster, arn); got.EphemeralStorage == nil || got.EphemeralStorage.SizeInGiB != 40 || aws.ToString(got.PlatformVersion) != "1.4.0" || aws.ToString(got.Cpu) != "256" {
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
		if got := c.describeTask(cluster, arns[0]); aws.ToString(got.LastStatus) != "PROVISIONING" || got.ContainerInstanceArn != nil || aws.ToString(got.CapacityProviderName) != name || got.LaunchType != types.LaunchTypeEc2 {
			c.Errorf("%+v", got)
		}
		stopped, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: &arns[0]})
		c.OK(err)
		if aws.ToString(stopped.Task.DesiredStatus) != "STOPPED" {
			c.Errorf("%+v", stopped.Task)
		}
		c.Host(cluster, Spec{Attributes: map[string]string{"ashore.capacity-provider": name}})
		c.StopAtEnd(cluster, arns...) // before the host is removed
		c.awaitRunning(cluster, arns[1])
	}},
}
