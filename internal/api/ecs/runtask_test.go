package ecs_test

import (
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

func TestRunTaskFailures(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	run := func(family string, count int32) *sdk.RunTaskOutput {
		t.Helper()
		return apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String(family), Count: aws.Int32(count)}))
	}
	apitest.Define(t, a, "plain", func(*sdk.RegisterTaskDefinitionInput) {})
	_, err := c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("plain")})
	apitest.WantError[*types.InvalidParameterException](t, err, "No Container Instances were found in your cluster.")
	apitest.WantError[*types.InvalidParameterException](t, err, "ashore host move --cluster c")

	instance, _ := a.Register("h", "c")
	apitest.Define(t, a, "big", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(8192) })
	apitest.Define(t, a, "wide", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Cpu = 4096 })
	apitest.Define(t, a, "web", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(8080)}}
	})
	apitest.Define(t, a, "ssh", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(22), HostPort: aws.Int32(22)}}
	})
	apitest.Define(t, a, "gpu", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].ResourceRequirements = []types.ResourceRequirement{{Type: types.ResourceTypeGpu, Value: aws.String("1")}}
	})
	apitest.Define(t, a, "privileged", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Privileged = aws.Bool(true) })
	for _, tt := range []struct{ family, reason, detail string }{
		{"big", "RESOURCE:MEMORY", "needs 8192 MiB of memory; 4096 of the container instance's 4096 are free"},
		{"wide", "RESOURCE:CPU", "needs 4096 CPU units"},
		{"ssh", "RESOURCE:PORTS", "Host port 22/tcp is reserved by the container instance"},
		{"gpu", "RESOURCE:GPU", "needs 1 GPUs"},
		{"privileged", "ATTRIBUTE", "com.amazonaws.ecs.capability.privileged-container"},
	} {
		out := run(tt.family, 2)
		if len(out.Tasks) != 0 || len(out.Failures) != 2 {
			t.Errorf("%s: %d tasks, %d failures", tt.family, len(out.Tasks), len(out.Failures))
			continue
		}
		f := out.Failures[0]
		if *f.Arn != instance || *f.Reason != tt.reason || !strings.Contains(*f.Detail, tt.detail) {
			t.Errorf("%s: %s %s %s", tt.family, *f.Arn, *f.Reason, *f.Detail)
		}
	}
	// Two tasks that want one port, in one call and in the next.
	out := run("web", 2)
	if len(out.Tasks) != 1 || len(out.Failures) != 1 || *out.Failures[0].Reason != "RESOURCE:PORTS" {
		t.Fatalf("one port for two: %d tasks, %+v", len(out.Tasks), out.Failures)
	}
	id := (*out.Tasks[0].TaskArn)[strings.LastIndexByte(*out.Tasks[0].TaskArn, '/')+1:]
	if f := run("web", 1).Failures[0]; !strings.Contains(*f.Detail, "Host port 8080/tcp is held by task "+id) {
		t.Errorf("holder: %s", *f.Detail)
	}
	d := apitest.Must[*sdk.DescribeContainerInstancesOutput](t)(c.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: aws.String("c"), ContainerInstances: []string{instance}}))
	if p := d.ContainerInstances[0].RemainingResources[2]; *p.Name != "PORTS" || strings.Join(p.StringSetValue, " ") != "22 2375 8080" {
		t.Errorf("ports in use: %+v", p)
	}
	apitest.EngineIs(t, a, instance, types.InstanceHealthCheckStateImpaired)
	if f := run("plain", 1).Failures; len(f) != 1 || *f[0].Reason != "AGENT" || !strings.Contains(*f[0].Detail, "engine does not answer") {
		t.Errorf("engine away: %+v", f)
	}
	apitest.EngineIs(t, a, instance, types.InstanceHealthCheckStateOk)
	if out := run("plain", 1); len(out.Failures) != 0 || len(out.Tasks) != 1 {
		t.Errorf("engine back: %+v", out.Failures)
	}
	a.Connect(instance, false)
	if f := run("plain", 1).Failures; len(f) != 1 || *f[0].Reason != "AGENT" {
		t.Errorf("agent away: %+v", f)
	}
}

func TestRunTaskRefusals(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	a.Register("h", "c")
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	apitest.Define(t, a, "vpc", func(in *sdk.RegisterTaskDefinitionInput) { in.NetworkMode = types.NetworkModeAwsvpc })
	apitest.Define(t, a, "secret", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ExecutionRoleArn = aws.String("role")
		in.ContainerDefinitions[0].Secrets = []types.Secret{{Name: aws.String("S"), ValueFrom: aws.String("p")}}
	})
	apitest.Define(t, a, "role", func(in *sdk.RegisterTaskDefinitionInput) {
		in.TaskRoleArn = aws.String("arn:aws:iam::000000000000:role/x")
	})
	for _, tt := range []struct {
		code, text string
		change     func(*sdk.RunTaskInput)
	}{
		{"ClusterNotFoundException", "Cluster not found.", func(in *sdk.RunTaskInput) { in.Cluster = aws.String("none") }},
		{"ClientException", "TaskDefinition not found.", func(in *sdk.RunTaskInput) { in.TaskDefinition = aws.String("none") }},
		{"InvalidParameterException", "count must be between 1 and 10", func(in *sdk.RunTaskInput) { in.Count = aws.Int32(11) }},
		{"InvalidParameterException", "count must be between 1 and 10", func(in *sdk.RunTaskInput) { in.Count = aws.Int32(0) }},
		{"InvalidParameterException", "Task definition does not support launch_type FARGATE.", func(in *sdk.RunTaskInput) { in.LaunchType = types.LaunchTypeFargate }},
		{"InvalidParameterException", "Specifying both a launch type", func(in *sdk.RunTaskInput) {
			in.LaunchType = types.LaunchTypeEc2
			in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("x")}}
		}},
		{"InvalidParameterException", "Network Configuration must be provided", func(in *sdk.RunTaskInput) { in.TaskDefinition = aws.String("vpc") }},
		{"UnsupportedFeatureException", "ashore.network-mode.awsvpc), which no container instance of the cluster c offers", func(in *sdk.RunTaskInput) {
			in.TaskDefinition = aws.String("vpc")
			in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"s"}}}
		}},
		{"UnsupportedFeatureException", "secrets of the container a, not served by Ashore yet. Give the values by environment.", func(in *sdk.RunTaskInput) { in.TaskDefinition = aws.String("secret") }},
		{"UnsupportedFeatureException", "taskRoleArn", func(in *sdk.RunTaskInput) { in.TaskDefinition = aws.String("role") }},
		{"InvalidParameterException", "Task definition does not support launch_type EXTERNAL.", func(in *sdk.RunTaskInput) {
			in.TaskDefinition, in.LaunchType = aws.String("vpc"), types.LaunchTypeExternal
		}},
		{"InvalidParameterException", "Override for container named x is not a container in the TaskDefinition.", func(in *sdk.RunTaskInput) {
			in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("x")}}}
		}},
		{"InvalidParameterException", "Network Configuration is not valid", func(in *sdk.RunTaskInput) {
			in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"s"}}}
		}},
		{"UnsupportedFeatureException", "enableExecuteCommand", func(in *sdk.RunTaskInput) { in.EnableExecuteCommand = true }},
		{"InvalidParameterException", "placementStrategy[0].field must be cpu or memory", func(in *sdk.RunTaskInput) {
			in.PlacementStrategy = []types.PlacementStrategy{{Type: types.PlacementStrategyTypeBinpack}}
		}},
		{"InvalidParameterException", "group", func(in *sdk.RunTaskInput) { in.Group = aws.String("service:x") }},
	} {
		in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f")}
		tt.change(in)
		_, err := a.Client.RunTask(t.Context(), in)
		apitest.WantError[smithy.APIError](t, err, tt.text)
		if err != nil && !strings.Contains(err.Error(), tt.code) {
			t.Errorf("%v is not a %s", err, tt.code)
		}
	}
	if n := a.Store.Snapshot().Counts("c"); n.Pending != 0 {
		t.Errorf("refused calls left %d tasks", n.Pending)
	}
}

func TestTaskShape(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	instance, _ := a.Register("h", "c", types.Attribute{Name: aws.String("ecs.cpu-architecture"), Value: aws.String("x86_64")}, types.Attribute{Name: aws.String("ecs.capability.external")})
	apitest.Define(t, a, "f", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions = append(in.ContainerDefinitions, apitest.Box("b"))
		in.Tags = []types.Tag{{Key: aws.String("from"), Value: aws.String("definition")}, {Key: aws.String("both"), Value: aws.String("definition")}}
	})
	out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{
		Cluster: aws.String("c"), TaskDefinition: aws.String("f"), StartedBy: aws.String("me"), LaunchType: types.LaunchTypeExternal,
		PropagateTags: types.PropagateTagsTaskDefinition, EnableECSManagedTags: true, Tags: []types.Tag{{Key: aws.String("both"), Value: aws.String("request")}},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("b"), Memory: aws.Int32(32), Cpu: aws.Int32(5), Environment: []types.KeyValuePair{{Name: aws.String("X"), Value: aws.String("1")}}}}},
	})).Tasks[0]
	if *out.Group != "family:f" || *out.StartedBy != "me" || out.LaunchType != types.LaunchTypeExternal || *out.Cpu != "5" || *out.Memory != "48" || len(out.Attributes) != 1 || len(out.Tags) != 3 {
		t.Errorf("task: %+v", out)
	}
	if o := out.Overrides.ContainerOverrides; len(o) != 2 || *o[0].Name != "a" || *o[1].Memory != 32 {
		t.Errorf("overrides: %+v", o)
	}
	if b := out.Containers[1]; *b.Name != "b" || *b.Memory != "32" || *b.Cpu != "5" || *b.Image != "busybox" || *b.LastStatus != "PENDING" || !strings.Contains(*b.ContainerArn, ":container/c/") {
		t.Errorf("container: %+v", b)
	}
	bare := apitest.Must[*sdk.DescribeTasksOutput](t)(c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{*out.TaskArn, strings.Repeat("0", 32)}}))
	if len(bare.Tasks[0].Tags) != 0 || len(bare.Failures) != 1 || *bare.Failures[0].Reason != "MISSING" {
		t.Errorf("described: %+v", bare)
	}
	_, err := c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{"x/report"}})
	apitest.WantError[*types.InvalidParameterException](t, err, "taskId length")

	start := apitest.Must[*sdk.StartTaskOutput](t)(c.StartTask(ctx, &sdk.StartTaskInput{
		Cluster: aws.String("c"), TaskDefinition: aws.String("f"), ContainerInstances: []string{instance, strings.Repeat("0", 32)}, Group: aws.String("mine"),
	}))
	if len(start.Tasks) != 1 || *start.Tasks[0].ContainerInstanceArn != instance || start.Tasks[0].LaunchType != types.LaunchTypeExternal || *start.Tasks[0].Group != "mine" {
		t.Errorf("started: %+v", start.Tasks)
	}
	if len(start.Failures) != 1 || *start.Failures[0].Reason != "MISSING" {
		t.Errorf("failures: %+v", start.Failures)
	}

	list := func(in sdk.ListTasksInput) int {
		t.Helper()
		in.Cluster = aws.String("c")
		return len(apitest.Must[*sdk.ListTasksOutput](t)(c.ListTasks(ctx, &in)).TaskArns)
	}
	for i, tt := range []struct {
		in   sdk.ListTasksInput
		want int
	}{
		{sdk.ListTasksInput{}, 2}, {sdk.ListTasksInput{StartedBy: aws.String("me")}, 1}, {sdk.ListTasksInput{Family: aws.String("f")}, 2},
		{sdk.ListTasksInput{Family: aws.String("none")}, 0}, {sdk.ListTasksInput{ContainerInstance: aws.String(instance)}, 2},
		{sdk.ListTasksInput{DesiredStatus: types.DesiredStatusStopped}, 0}, {sdk.ListTasksInput{LaunchType: types.LaunchTypeEc2}, 0},
		{sdk.ListTasksInput{MaxResults: aws.Int32(1)}, 1},
	} {
		if got := list(tt.in); got != tt.want {
			t.Errorf("list %d: %d tasks; want %d", i, got, tt.want)
		}
	}
	_, err = c.ListTasks(ctx, &sdk.ListTasksInput{Cluster: aws.String("c"), ServiceName: aws.String("s")})
	apitest.WantError[*types.ServiceNotFoundException](t, err, "Service not found.")

	// A wish to stop is the first one's, and a second one changes nothing.
	for _, why := range []string{"first", "second"} {
		s := apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: out.TaskArn, Reason: aws.String(why)})).Task
		if *s.StoppedReason != "first" || s.StopCode != types.TaskStopCodeUserInitiated {
			t.Errorf("stop: %+v", s)
		}
	}
	_, err = c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: aws.String(strings.Repeat("0", 32))})
	apitest.WantError[*types.InvalidParameterException](t, err, "The referenced task was not found.")
	if got := list(sdk.ListTasksInput{DesiredStatus: types.DesiredStatusStopped}); got != 1 {
		t.Errorf("%d tasks with desired status STOPPED", got)
	}
}
