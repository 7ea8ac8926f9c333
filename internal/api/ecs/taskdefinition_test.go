package ecs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestTaskDefinitions(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	register := func(family string) *types.TaskDefinition {
		t.Helper()
		return apitest.Must[*sdk.RegisterTaskDefinitionOutput](t)(c.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{
			Family: aws.String(family), ContainerDefinitions: []types.ContainerDefinition{apitest.Box("a")}, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		})).TaskDefinition
	}
	first := register("web")
	if d := first.ContainerDefinitions[0]; !*d.Essential || d.PortMappings == nil || d.Environment == nil {
		t.Errorf("defaults: %+v", d)
	}
	if got := fmt.Sprint(first.Compatibilities); got != "[EXTERNAL EC2]" || first.Status != types.TaskDefinitionStatusActive || !strings.HasSuffix(*first.RegisteredBy, "user/administrator") {
		t.Errorf("registered: %v %s %s", got, first.Status, aws.ToString(first.RegisteredBy))
	}
	register("web")
	register("web-other")

	describe := func(ref string) string {
		t.Helper()
		out := apitest.Must[*sdk.DescribeTaskDefinitionOutput](t)(c.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: aws.String(ref), Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}}))
		if len(out.Tags) != 1 {
			t.Errorf("%s: tags %v", ref, out.Tags)
		}
		return fmt.Sprint(*out.TaskDefinition.Family, ":", out.TaskDefinition.Revision, " ", out.TaskDefinition.Status)
	}
	for ref, want := range map[string]string{"web": "web:2 ACTIVE", "web:1": "web:1 ACTIVE", *first.TaskDefinitionArn: "web:1 ACTIVE"} {
		if got := describe(ref); got != want {
			t.Errorf("%s is %s; want %s", ref, got, want)
		}
	}
	apitest.Must[*sdk.DeregisterTaskDefinitionOutput](t)(c.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:2")}))
	if got := describe("web"); got != "web:1 ACTIVE" {
		t.Errorf("the latest after a deregistration is %s", got)
	}
	if got := describe("web:2"); got != "web:2 INACTIVE" {
		t.Errorf("deregistered: %s", got)
	}
	if third := register("web"); third.Revision != 3 {
		t.Errorf("revision %d after 2: numbers are never used again", third.Revision)
	}

	list := func(in *sdk.ListTaskDefinitionsInput) string {
		t.Helper()
		var out []string
		for _, arn := range apitest.Must[*sdk.ListTaskDefinitionsOutput](t)(c.ListTaskDefinitions(ctx, in)).TaskDefinitionArns {
			out = append(out, arn[strings.LastIndexByte(arn, '/')+1:])
		}
		return strings.Join(out, " ")
	}
	for _, tt := range []struct {
		in   sdk.ListTaskDefinitionsInput
		want string
	}{
		{sdk.ListTaskDefinitionsInput{}, "web:1 web:3 web-other:1"},
		{sdk.ListTaskDefinitionsInput{Sort: types.SortOrderDesc}, "web-other:1 web:3 web:1"},
		{sdk.ListTaskDefinitionsInput{FamilyPrefix: aws.String("web")}, "web:1 web:3"},
		{sdk.ListTaskDefinitionsInput{Status: types.TaskDefinitionStatusInactive}, "web:2"},
		{sdk.ListTaskDefinitionsInput{MaxResults: aws.Int32(1)}, "web:1"},
	} {
		if got := list(&tt.in); got != tt.want {
			t.Errorf("%+v: %s; want %s", tt.in, got, tt.want)
		}
	}
	for _, rev := range []string{"web:1", "web:3"} {
		apitest.Must[*sdk.DeregisterTaskDefinitionOutput](t)(c.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(rev)}))
	}
	for status, want := range map[types.TaskDefinitionFamilyStatus]string{"": "web web-other", "ACTIVE": "web-other", "INACTIVE": "web", "ALL": "web web-other"} {
		out := apitest.Must[*sdk.ListTaskDefinitionFamiliesOutput](t)(c.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{Status: status}))
		if got := strings.Join(out.Families, " "); got != want {
			t.Errorf("families %s: %s; want %s", status, got, want)
		}
	}
	for _, ref := range []string{"none", "web:9", "a b:1", "arn:aws:ecs:eu-west-1:1:task-definition/web:1"} {
		_, err := c.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: aws.String(ref)})
		apitest.WantError[*types.ClientException](t, err, "Unable to describe task definition.")
	}
}

func TestTaskDefinitionRules(t *testing.T) {
	a := apitest.Start(t)
	with := func(change func(*sdk.RegisterTaskDefinitionInput)) *sdk.RegisterTaskDefinitionInput {
		in := &sdk.RegisterTaskDefinitionInput{Family: aws.String("f"), ContainerDefinitions: []types.ContainerDefinition{apitest.Box("a"), apitest.Box("b")}}
		change(in)
		return in
	}
	port := func(c, h int32) types.PortMapping {
		return types.PortMapping{ContainerPort: aws.Int32(c), HostPort: aws.Int32(h)}
	}
	for want, change := range map[string]func(*sdk.RegisterTaskDefinitionInput){
		"Family contains invalid characters": func(in *sdk.RegisterTaskDefinitionInput) { in.Family = aws.String("a/b") },
		"Container list cannot be empty":     func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions = []types.ContainerDefinition{} },
		"at most 10": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions = make([]types.ContainerDefinition, 11)
		},
		"Container.image should not be null or empty.": func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Image = nil },
		"At least one of 'memory' or 'memoryReservation' must be specified.": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[1].Memory = nil
		},
		"'memory' must be greater than or equal to 'memoryReservation'": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].MemoryReservation = aws.Int32(32)
		},
		"Container names must be unique within a task definition": func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[1].Name = aws.String("a") },
		"Task definition doesn't have any essential container": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Essential, in.ContainerDefinitions[1].Essential = aws.Bool(false), aws.Bool(false)
		},
		"When networkMode=host, the host ports and container ports in port mappings must match.": func(in *sdk.RegisterTaskDefinitionInput) {
			in.NetworkMode = types.NetworkModeHost
			in.ContainerDefinitions[0].PortMappings = []types.PortMapping{port(80, 81)}
		},
		"not supported when networkMode=none": func(in *sdk.RegisterTaskDefinitionInput) {
			in.NetworkMode = types.NetworkModeNone
			in.ContainerDefinitions[0].PortMappings = []types.PortMapping{port(80, 0)}
		},
		"8080/tcp is wanted by the containers 'a' and 'b'": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].PortMappings = []types.PortMapping{port(80, 8080)}
			in.ContainerDefinitions[1].PortMappings = []types.PortMapping{port(81, 8080)}
		},
		"form a cycle": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].DependsOn = []types.ContainerDependency{{ContainerName: aws.String("b"), Condition: "START"}}
			in.ContainerDefinitions[1].DependsOn = []types.ContainerDependency{{ContainerName: aws.String("a"), Condition: "START"}}
		},
		"A dependency container with HEALTHY condition must have health check configured": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].DependsOn = []types.ContainerDependency{{ContainerName: aws.String("b"), Condition: "HEALTHY"}}
		},
		"Unknown volume 'v'": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].MountPoints = []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String("/v")}}
		},
		"The 'memory' setting for container 'a' is greater than for the task.": func(in *sdk.RegisterTaskDefinitionInput) { in.Memory = aws.String("8") },
		"'cpu' setting for task": func(in *sdk.RegisterTaskDefinitionInput) { in.Cpu = aws.String("lots") },
		"Fargate only supports network mode ‘awsvpc’.": func(in *sdk.RegisterTaskDefinitionInput) {
			in.RequiresCompatibilities = []types.Compatibility{"FARGATE"}
		},
		"External does not support network mode 'awsvpc'": func(in *sdk.RegisterTaskDefinitionInput) {
			in.NetworkMode, in.RequiresCompatibilities = "awsvpc", []types.Compatibility{"EXTERNAL"}
		},
		"Max allowed length is '65536' bytes.": func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Command = []string{strings.Repeat("x", 70000)}
		},
	} {
		_, err := a.Client.RegisterTaskDefinition(t.Context(), with(change))
		apitest.WantError[*types.ClientException](t, err, want)
	}
	if f := a.Store.Snapshot().Family("f"); f != nil {
		t.Errorf("a refused definition left %+v", f)
	}
}

func TestRequiresAttributes(t *testing.T) {
	a := apitest.Start(t)
	in := &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("f"), ExecutionRoleArn: aws.String("role"), Cpu: aws.String(".25 vCPU"), Memory: aws.String("1 GB"), NetworkMode: types.NetworkModeAwsvpc,
		RuntimePlatform: &types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureArm64},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("a"), Image: aws.String("1.dkr.ecr.us-east-1.amazonaws.com/x"), MemoryReservation: aws.Int32(16),
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs,
				Options: map[string]string{"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"}}, HealthCheck: &types.HealthCheck{Command: []string{"CMD", "true"}},
		}},
	}
	out := apitest.Must[*sdk.RegisterTaskDefinitionOutput](t)(a.Client.RegisterTaskDefinition(t.Context(), in)).TaskDefinition
	if *out.Cpu != "256" || *out.Memory != "1024" || *out.ContainerDefinitions[0].HealthCheck.Interval != 30 {
		t.Errorf("normalized: cpu %s, memory %s, %+v", *out.Cpu, *out.Memory, out.ContainerDefinitions[0].HealthCheck)
	}
	names := map[string]bool{}
	for _, at := range out.RequiresAttributes {
		names[*at.Name] = true
	}
	if !names["com.amazonaws.ecs.capability.ecr-auth"] || !names["ecs.capability.task-eni"] || names["ashore.network-mode.awsvpc"] || names["ecs.cpu-architecture"] {
		t.Errorf("requiresAttributes %v", names)
	}
	// ECS leaves the list out where it is empty.
	plain := apitest.Must[*sdk.RegisterTaskDefinitionOutput](t)(a.Client.RegisterTaskDefinition(t.Context(), &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("plain"), ContainerDefinitions: []types.ContainerDefinition{apitest.Box("a")},
	})).TaskDefinition
	if plain.RequiresAttributes != nil {
		t.Errorf("requiresAttributes %v", plain.RequiresAttributes)
	}
	if c := fmt.Sprint(out.Compatibilities); c != "[EC2 FARGATE MANAGED_INSTANCES]" {
		t.Errorf("compatibilities %s", c)
	}
}
