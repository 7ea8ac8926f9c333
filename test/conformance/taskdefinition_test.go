package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	registerPage = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html"
	deletePage   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html"
	listPage     = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html"
	familiesPage = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitionFamilies.html"
	describePage = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html"
)

type registration = ecs.RegisterTaskDefinitionInput

// definitionOf returns a definition that can be registered, unless change makes it
// wrong.
func definitionOf(c *C, family string, change func(in *registration, main *types.ContainerDefinition)) *registration {
	in := &registration{Family: &family, ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("main"), Image: aws.String("public.ecr.aws/docker/library/busybox:latest"), MemoryReservation: aws.Int32(64)},
		{Name: aws.String("side"), Image: aws.String("public.ecr.aws/docker/library/busybox:latest"), MemoryReservation: aws.Int32(64), Essential: aws.Bool(false)},
	}}
	if change != nil {
		change(in, &in.ContainerDefinitions[0])
	}
	return in
}

// registered registers a definition and deregisters it at the end.
func registered(c *C, in *registration) *types.TaskDefinition {
	c.Helper()
	out, err := c.ECS.RegisterTaskDefinition(c.Ctx(), in)
	c.OK(err)
	ref := fmt.Sprintf("%s:%d", *out.TaskDefinition.Family, out.TaskDefinition.Revision)
	c.Cleanup(func() {
		_, err := c.ECS.DeregisterTaskDefinition(context.Background(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &ref})
		var already *types.ClientException // the case has deleted it
		if err != nil && !errors.As(err, &already) {
			c.Errorf("cleaning up: %v", err)
		}
	})
	return out.TaskDefinition
}

func onFargate(in *registration) {
	in.NetworkMode, in.Cpu, in.Memory = types.NetworkModeAwsvpc, aws.String("256"), aws.String("512")
	in.RequiresCompatibilities = []types.Compatibility{types.CompatibilityFargate}
}

// TestTaskDefinitionRefused has a definition for each rule, with one error each.
func TestTaskDefinitionRefused(t *testing.T) {
	var cases []Case
	for _, r := range []struct {
		name, cite, words string
		change            func(in *registration, main *types.ContainerDefinition)
	}{
		{"a family with a slash", "model: RegisterTaskDefinitionInput.family", "Family", func(in *registration, _ *types.ContainerDefinition) { in.Family = aws.String("a/b") }},
		{"a family of 256 characters", "model: RegisterTaskDefinitionInput.family", "Family", func(in *registration, _ *types.ContainerDefinition) { in.Family = aws.String(strings.Repeat("a", 256)) }},
		{"no containers", "model: RegisterTaskDefinitionInput.containerDefinitions", "container", func(in *registration, _ *types.ContainerDefinition) {
			in.ContainerDefinitions = []types.ContainerDefinition{}
		}},
		{"no essential container", "model: ContainerDefinition.essential", "essential", func(in *registration, m *types.ContainerDefinition) { m.Essential = aws.Bool(false) }},
		{"two containers of a name", "model: ContainerDefinition.name", "name", func(in *registration, m *types.ContainerDefinition) { m.Name = aws.String("side") }},
		{"a container without an image", "model: ContainerDefinition.image", "image", func(in *registration, m *types.ContainerDefinition) { m.Image = nil }},
		{"an image with a space", "model: ContainerDefinition.image", "image", func(in *registration, m *types.ContainerDefinition) { m.Image = aws.String("a b") }},
		{"no memory anywhere", "model: ContainerDefinition.memory", "memoryReservation", func(in *registration, m *types.ContainerDefinition) { m.MemoryReservation = nil }},
		{"a hard limit below the soft one", "model: ContainerDefinition.memory", "memory", func(in *registration, m *types.ContainerDefinition) { m.Memory = aws.Int32(32) }},
		{"containers' cpu above the task's", "model: ContainerDefinition.cpu", "cpu", func(in *registration, m *types.ContainerDefinition) { in.Cpu, m.Cpu = aws.String("256"), 300 }},
		{"cpu in words", "model: RegisterTaskDefinitionInput.cpu", "cpu", func(in *registration, _ *types.ContainerDefinition) { in.Cpu = aws.String("lots") }},
		{"memory in words", "model: RegisterTaskDefinitionInput.memory", "memory", func(in *registration, _ *types.ContainerDefinition) { in.Memory = aws.String("lots") }},
		{"an unknown volume", "model: MountPoint.sourceVolume", "volume", func(in *registration, m *types.ContainerDefinition) {
			m.MountPoints = []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String("/v")}}
		}},
		{"two kinds of a volume", "https://github.com/cloudposse/terraform-aws-ecs-alb-service-task/issues/185", "only one volume configuration type", func(in *registration, _ *types.ContainerDefinition) {
			in.Volumes = []types.Volume{{Name: aws.String("v"), Host: &types.HostVolumeProperties{SourcePath: aws.String("/x")}, EfsVolumeConfiguration: &types.EFSVolumeConfiguration{FileSystemId: aws.String("fs-12345678")}}}
		}},
		{"two volumes configured at launch", "model: Volume.configuredAtLaunch", "", func(in *registration, _ *types.ContainerDefinition) {
			in.Volumes = []types.Volume{{Name: aws.String("v"), ConfiguredAtLaunch: aws.Bool(true)}, {Name: aws.String("w"), ConfiguredAtLaunch: aws.Bool(true)}}
		}},
		{"IAM for EFS without encryption", "model: EFSAuthorizationConfig.iam", "encryption", func(in *registration, _ *types.ContainerDefinition) {
			in.Volumes = []types.Volume{{Name: aws.String("v"), EfsVolumeConfiguration: &types.EFSVolumeConfiguration{FileSystemId: aws.String("fs-12345678"),
				AuthorizationConfig: &types.EFSAuthorizationConfig{Iam: types.EFSAuthorizationConfigIAMEnabled}}}}
		}},
		{"volumesFrom an unknown container", "model: VolumeFrom.sourceContainer", "", func(in *registration, m *types.ContainerDefinition) {
			m.VolumesFrom = []types.VolumeFrom{{SourceContainer: aws.String("none")}}
		}},
		{"a host port other than the container's with host", "model: PortMapping.hostPort", "networkMode=host", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, m.PortMappings = types.NetworkModeHost, []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(81)}}
		}},
		{"a host port other than the container's with awsvpc", "model: PortMapping.hostPort", "networkMode=awsvpc", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, m.PortMappings = types.NetworkModeAwsvpc, []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(81)}}
		}},
		{"ports without a network", "model: RegisterTaskDefinitionInput.networkMode", "", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, m.PortMappings = types.NetworkModeNone, []types.PortMapping{{ContainerPort: aws.Int32(80)}}
		}},
		{"a port of 65536", "model: PortMapping.containerPort", "", func(in *registration, m *types.ContainerDefinition) {
			m.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(65536)}}
		}},
		{"a range that runs backwards", "model: PortMapping.containerPortRange", "", func(in *registration, m *types.ContainerDefinition) {
			m.PortMappings = []types.PortMapping{{ContainerPortRange: aws.String("90-80")}}
		}},
		{"ranges that overlap", "model: PortMapping.containerPortRange", "", func(in *registration, m *types.ContainerDefinition) {
			m.PortMappings = []types.PortMapping{{ContainerPortRange: aws.String("80-90")}, {ContainerPortRange: aws.String("85-95")}}
		}},
		{"a range with host", "model: PortMapping.containerPortRange", "", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, m.PortMappings = types.NetworkModeHost, []types.PortMapping{{ContainerPortRange: aws.String("80-90")}}
		}},
		{"a port name in capitals", "model: PortMapping.name", "name", func(in *registration, m *types.ContainerDefinition) {
			m.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80), Name: aws.String("Web")}}
		}},
		{"links with awsvpc", "https://github.com/aws-observability/aws-otel-collector/issues/1359", "Links are not supported when networkMode=awsvpc", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, m.Links = types.NetworkModeAwsvpc, []string{"side"}
		}},
		{"a hostname with awsvpc", "https://github.com/labd/ecs-deplojo/issues/26", "hostname is not supported on container when networkMode=awsvpc", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, m.Hostname = types.NetworkModeAwsvpc, aws.String("h")
		}},
		{"extra hosts with awsvpc", "model: ContainerDefinition.extraHosts", "hosts", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, m.ExtraHosts = types.NetworkModeAwsvpc, []types.HostEntry{{Hostname: aws.String("x"), IpAddress: aws.String("10.0.0.1")}}
		}},
		{"a dependency on nothing", "model: ContainerDependency.containerName", "", func(in *registration, m *types.ContainerDefinition) {
			m.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("none"), Condition: types.ContainerConditionStart}}
		}},
		{"a dependency on itself", "model: ContainerDefinition.dependsOn", "", func(in *registration, m *types.ContainerDefinition) {
			m.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("main"), Condition: types.ContainerConditionStart}}
		}},
		{"SUCCESS of an essential container", "model: ContainerDependency.condition", "essential", func(in *registration, m *types.ContainerDefinition) {
			in.ContainerDefinitions[1].DependsOn = []types.ContainerDependency{{ContainerName: aws.String("main"), Condition: types.ContainerConditionSuccess}}
		}},
		{"HEALTHY without a health check", "model: ContainerDependency.condition", "health", func(in *registration, m *types.ContainerDefinition) {
			m.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("side"), Condition: types.ContainerConditionHealthy}}
		}},
		{"a health check every 4 s", "model: HealthCheck.interval", "interval", func(in *registration, m *types.ContainerDefinition) {
			m.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}, Interval: aws.Int32(4)}
		}},
		{"a health check 11 times", "model: HealthCheck.retries", "retries", func(in *registration, m *types.ContainerDefinition) {
			m.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}, Retries: aws.Int32(11)}
		}},
		{"a health check after 301 s", "model: HealthCheck.startPeriod", "startPeriod", func(in *registration, m *types.ContainerDefinition) {
			m.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}, StartPeriod: aws.Int32(301)}
		}},
		{"a restart policy of 59 s", "model: ContainerRestartPolicy.restartAttemptPeriod", "restartAttemptPeriod", func(in *registration, m *types.ContainerDefinition) {
			m.RestartPolicy = &types.ContainerRestartPolicy{Enabled: aws.Bool(true), RestartAttemptPeriod: aws.Int32(59)}
		}},
		{"51 ignored exit codes", "model: ContainerRestartPolicy.ignoredExitCodes", "ignoredExitCodes", func(in *registration, m *types.ContainerDefinition) {
			m.RestartPolicy = &types.ContainerRestartPolicy{Enabled: aws.Bool(true), IgnoredExitCodes: make([]int32, 51)}
		}},
		{"awslogs without its options", "https://github.com/klothoplatform/klotho/issues/892", "Log driver awslogs requires options", func(in *registration, m *types.ContainerDefinition) {
			m.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs}
		}},
		{"awslogs with an option of another driver", "https://github.com/aws-samples/amazon-ecs-firelens-examples/issues/83", "disallows options: log_key", func(in *registration, m *types.ContainerDefinition) {
			m.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "g", "awslogs-region": "us-east-1", "log_key": "log"}}
		}},
		{"awslogs-create-group false", "https://github.com/terraform-linters/tflint-ruleset-aws/issues/348", "awslogs-create-group", func(in *registration, m *types.ContainerDefinition) {
			m.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-create-group": "false"}}
		}},
		{"splunk without a token", "https://github.com/hashicorp/terraform-provider-aws/issues/8596", "splunk-token", func(in *registration, m *types.ContainerDefinition) {
			m.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverSplunk, Options: map[string]string{"splunk-url": "https://splunk.example.com"}}
		}},
		{"awsfirelens without a router", "https://github.com/fabfuel/ecs-deploy/issues/164", "a firelens configuration object must be configured", func(in *registration, m *types.ContainerDefinition) {
			m.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwsfirelens}
		}},
		{"a router that nobody logs to", "https://github.com/aws/amazon-cloudwatch-logs-for-fluent-bit/issues/20", "awsfirelens log driver", func(in *registration, m *types.ContainerDefinition) {
			m.FirelensConfiguration = &types.FirelensConfiguration{Type: types.FirelensConfigurationTypeFluentbit}
		}},
		{"secrets without an execution role", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html", "executionRoleArn", func(in *registration, m *types.ContainerDefinition) {
			m.Secrets = []types.Secret{{Name: aws.String("S"), ValueFrom: aws.String("parameter")}}
		}},
		{"eleven environment files", "model: ContainerDefinition.environmentFiles", "", func(in *registration, m *types.ContainerDefinition) {
			m.EnvironmentFiles = slices.Repeat([]types.EnvironmentFile{{Type: types.EnvironmentFileTypeS3, Value: aws.String("arn:aws:s3:::b/a.env")}}, 11)
		}},
		{"swappiness of 101", "model: LinuxParameters.swappiness", "swappiness", func(in *registration, m *types.ContainerDefinition) {
			m.LinuxParameters = &types.LinuxParameters{MaxSwap: aws.Int32(1), Swappiness: aws.Int32(101)}
		}},
		{"an unknown capability", "model: KernelCapabilities.add", "capabilit", func(in *registration, m *types.ContainerDefinition) {
			m.LinuxParameters = &types.LinuxParameters{Capabilities: &types.KernelCapabilities{Add: []string{"FLY"}}}
		}},
		{"a kernel parameter of the host", "model: SystemControl.namespace", "", func(in *registration, m *types.ContainerDefinition) {
			m.SystemControls = []types.SystemControl{{Namespace: aws.String("vm.swappiness"), Value: aws.String("1")}}
		}},
		{"eleven constraints", "model: RegisterTaskDefinitionInput.placementConstraints", "placementConstraints", func(in *registration, m *types.ContainerDefinition) {
			in.PlacementConstraints = slices.Repeat([]types.TaskDefinitionPlacementConstraint{{Type: types.TaskDefinitionPlacementConstraintTypeMemberOf, Expression: aws.String("attribute:a exists")}}, 11)
		}},
		{"a user for a role", "https://github.com/aws-samples/aws-modern-application-workshop/issues/272", "Role is not valid", func(in *registration, m *types.ContainerDefinition) {
			in.TaskRoleArn = aws.String("arn:aws:iam::000000000000:user/x")
		}},
		{"more than 64 KB", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html", "", func(in *registration, m *types.ContainerDefinition) {
			m.Command = []string{strings.Repeat("x", 70000)}
		}},
		{"FARGATE with bridge", registerPage, "awsvpc", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			in.NetworkMode = types.NetworkModeBridge
		}},
		{"FARGATE without cpu", registerPage, "Fargate requires that 'cpu' be defined at the task level", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			in.Cpu = nil
		}},
		{"FARGATE with 256 CPU units and 1536 MiB", registerPage, "No Fargate configuration exists", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			in.Memory = aws.String("1536")
		}},
		{"FARGATE with 8 vCPU and 17 GB", registerPage, "No Fargate configuration exists", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			in.Cpu, in.Memory = aws.String("8 vCPU"), aws.String("17 GB")
		}},
		{"FARGATE with ipcMode", "https://github.com/cn-terraform/terraform-aws-ecs-fargate/issues/2", "ipcMode", func(in *registration, m *types.ContainerDefinition) { onFargate(in); in.IpcMode = types.IpcModeTask }},
		{"FARGATE with pidMode host", "model: RegisterTaskDefinitionInput.pidMode", "", func(in *registration, m *types.ContainerDefinition) { onFargate(in); in.PidMode = types.PidModeHost }},
		{"FARGATE privileged", "model: ContainerDefinition.privileged", "privileged", func(in *registration, m *types.ContainerDefinition) { onFargate(in); m.Privileged = aws.Bool(true) }},
		{"FARGATE with devices", "model: LinuxParameters.devices", "devices", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			m.LinuxParameters = &types.LinuxParameters{Devices: []types.Device{{HostPath: aws.String("/dev/fuse")}}}
		}},
		{"FARGATE with a stop timeout of 121 s", "model: ContainerDefinition.stopTimeout", "stop timeout of less than 120 seconds", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			m.StopTimeout = aws.Int32(121)
		}},
		{"FARGATE with syslog", "https://github.com/kayac/ecspresso/issues/364", "is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			m.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverSyslog}
		}},
		{"FARGATE with awslogs and no role", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html", "execution role ARN to support log driver awslogs", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			m.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}}
		}},
		{"FARGATE with 20 GiB of storage", "model: EphemeralStorage.sizeInGiB", "", func(in *registration, m *types.ContainerDefinition) {
			onFargate(in)
			in.EphemeralStorage = &types.EphemeralStorage{SizeInGiB: 20}
		}},
		{"EXTERNAL with awsvpc", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-anywhere.html", "awsvpc", func(in *registration, m *types.ContainerDefinition) {
			in.NetworkMode, in.RequiresCompatibilities = types.NetworkModeAwsvpc, []types.Compatibility{types.CompatibilityExternal}
		}},
	} {
		cases = append(cases, Case{Name: r.name, Cite: r.cite, Run: func(c *C) {
			in := definitionOf(c, c.Unique("conformance"), r.change)
			_, err := c.ECS.RegisterTaskDefinition(c.Ctx(), in)
			c.Refused(err, "ClientException", r.words)
		}})
	}
	run(t, cases)
}

func TestTaskDefinition(t *testing.T) {
	describe := func(c *C, ref string) (*types.TaskDefinition, error) {
		out, err := c.ECS.DescribeTaskDefinition(c.Ctx(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &ref})
		if err != nil {
			return nil, err
		}
		return out.TaskDefinition, nil
	}
	deregister := func(c *C, ref string) {
		c.Helper()
		_, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &ref})
		c.OK(err)
	}
	run(t, []Case{
		{Name: "defaults are filled in", Cite: "model: ContainerDefinition.essential", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), func(in *registration, m *types.ContainerDefinition) {
				m.HealthCheck = &types.HealthCheck{Command: []string{"CMD-SHELL", "exit 0"}}
				m.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80)}}
			}))
			m := d.ContainerDefinitions[0]
			if !aws.ToBool(m.Essential) || *m.HealthCheck.Interval != 30 || *m.HealthCheck.Timeout != 5 || *m.HealthCheck.Retries != 3 || *m.PortMappings[0].HostPort != 0 || m.PortMappings[0].Protocol != types.TransportProtocolTcp {
				c.Errorf("%+v %+v", m.HealthCheck, m.PortMappings)
			}
		}},
		{Name: "sizes in vCPU and GB become integers", Cite: "model: RegisterTaskDefinitionInput.cpu", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), func(in *registration, _ *types.ContainerDefinition) {
				in.Cpu, in.Memory = aws.String("0.25 vCPU"), aws.String("0.5 GB")
			}))
			if *d.Cpu != "256" || *d.Memory != "512" {
				c.Errorf("%s and %s", *d.Cpu, *d.Memory)
			}
		}},
		{Name: "what suits FARGATE", Cite: "model: TaskDefinition.compatibilities", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), func(in *registration, _ *types.ContainerDefinition) { onFargate(in) }))
			if !slices.Contains(d.Compatibilities, types.CompatibilityFargate) || !slices.Contains(d.Compatibilities, types.CompatibilityEc2) || slices.Contains(d.Compatibilities, types.CompatibilityExternal) {
				c.Errorf("%v", d.Compatibilities)
			}
		}},
		{Name: "what suits hosts", Cite: "model: TaskDefinition.compatibilities", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), nil))
			if !slices.Contains(d.Compatibilities, types.CompatibilityExternal) || slices.Contains(d.Compatibilities, types.CompatibilityFargate) {
				c.Errorf("%v", d.Compatibilities)
			}
		}},
		{Name: "16 vCPU and 120 GB on FARGATE", Cite: registerPage, Run: func(c *C) {
			registered(c, definitionOf(c, c.Unique("conformance"), func(in *registration, _ *types.ContainerDefinition) {
				onFargate(in)
				in.Cpu, in.Memory = aws.String("16 vCPU"), aws.String("120 GB")
			}))
		}},
		{Name: "required attributes", Cite: "model: TaskDefinition.requiresAttributes", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), func(_ *registration, m *types.ContainerDefinition) { m.Privileged = aws.Bool(true) }))
			if !slices.ContainsFunc(d.RequiresAttributes, func(a types.Attribute) bool { return *a.Name == "com.amazonaws.ecs.capability.privileged-container" }) {
				c.Errorf("%d attributes", len(d.RequiresAttributes))
			}
		}},
		{Name: "revisions count up and are never used again", Cite: deletePage, Run: func(c *C) {
			family := c.Unique("conformance")
			for want := int32(1); want <= 3; want++ {
				d := registered(c, definitionOf(c, family, nil))
				if d.Revision != want {
					c.Fatalf("revision %d; want %d", d.Revision, want)
				}
				deregister(c, *d.TaskDefinitionArn)
			}
		}},
		{Name: "a family is its latest ACTIVE revision", Cite: "model: DescribeTaskDefinitionInput.taskDefinition", Run: func(c *C) {
			family := c.Unique("conformance")
			registered(c, definitionOf(c, family, nil))
			second := registered(c, definitionOf(c, family, nil))
			for want := int32(2); want >= 1; want-- {
				d, err := describe(c, family)
				c.OK(err)
				if d.Revision != want {
					c.Errorf("revision %d; want %d", d.Revision, want)
				}
				if want == 2 {
					deregister(c, *second.TaskDefinitionArn)
				}
			}
		}},
		{Name: "family:revision and ARN name the same", Cite: "model: DescribeTaskDefinitionInput.taskDefinition", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), nil))
			a, err := describe(c, *d.Family+":1")
			c.OK(err)
			b, err := describe(c, *d.TaskDefinitionArn)
			c.OK(err)
			if *a.TaskDefinitionArn != *b.TaskDefinitionArn {
				c.Errorf("%s and %s", *a.TaskDefinitionArn, *b.TaskDefinitionArn)
			}
		}},
		{Name: "tags are included when asked for", Cite: "model: DescribeTaskDefinitionInput.include", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), func(in *registration, _ *types.ContainerDefinition) {
				in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
			}))
			with, err := c.ECS.DescribeTaskDefinition(c.Ctx(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: d.TaskDefinitionArn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
			c.OK(err)
			without, err := c.ECS.DescribeTaskDefinition(c.Ctx(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: d.TaskDefinitionArn})
			c.OK(err)
			if len(with.Tags) != 1 || len(without.Tags) != 0 {
				c.Errorf("%d tags, and %d", len(with.Tags), len(without.Tags))
			}
		}},
		{Name: "an unknown family", Cite: describePage, Run: func(c *C) {
			_, err := describe(c, c.Unique("conformance"))
			c.Refused(err, "ClientException", "task definition")
		}},
		{Name: "a deregistered revision is INACTIVE", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html", Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), nil))
			out, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: d.TaskDefinitionArn})
			c.OK(err)
			if out.TaskDefinition.Status != types.TaskDefinitionStatusInactive || out.TaskDefinition.DeregisteredAt == nil {
				c.Errorf("%s", out.TaskDefinition.Status)
			}
		}},
		{Name: "deregistering nothing", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html", Run: func(c *C) {
			_, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(c.Unique("conformance") + ":1")})
			c.Refused(err, "ClientException", "task definition")
		}},
		{Name: "deregistering a family", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html", Run: func(c *C) {
			_, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(c.Unique("conformance"))})
			c.Refused(err, "ClientException", "Revision is missing.")
		}},
		{Name: "a family and what is not there are not deleted, without an error", Cite: "https://github.com/getmoto/moto/pull/8989", Run: func(c *C) {
			family := c.Unique("conformance")
			out, err := c.ECS.DeleteTaskDefinitions(c.Ctx(), &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: []string{family, family + ":1"}})
			c.OK(err)
			if len(out.Failures) != 2 || *out.Failures[0].Arn != family || *out.Failures[1].Arn != family+":1" {
				c.Errorf("%+v", out)
			}
		}},
		{Name: "an ACTIVE revision is not deleted", Cite: deletePage, Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), nil))
			out, err := c.ECS.DeleteTaskDefinitions(c.Ctx(), &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: []string{*d.TaskDefinitionArn}})
			c.OK(err)
			if len(out.TaskDefinitions) != 0 || len(out.Failures) != 1 || *out.Failures[0].Arn != *d.TaskDefinitionArn {
				c.Errorf("%+v", out)
			}
		}},
		{Name: "an INACTIVE revision is DELETE_IN_PROGRESS", Cite: deletePage, Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), nil))
			deregister(c, *d.TaskDefinitionArn)
			out, err := c.ECS.DeleteTaskDefinitions(c.Ctx(), &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: []string{*d.TaskDefinitionArn}})
			c.OK(err)
			if len(out.TaskDefinitions) != 1 || out.TaskDefinitions[0].Status != types.TaskDefinitionStatusDeleteInProgress || out.TaskDefinitions[0].DeleteRequestedAt == nil {
				c.Errorf("%+v", out)
			}
		}},
		{Name: "eleven at once", Cite: "model: DeleteTaskDefinitionsInput.taskDefinitions", Run: func(c *C) {
			_, err := c.ECS.DeleteTaskDefinitions(c.Ctx(), &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: slices.Repeat([]string{"conformance:1"}, 11)})
			c.Refused(err, "InvalidParameterException")
		}},
		{Name: "revisions are listed by number, in pages, in both directions", Cite: listPage, Run: func(c *C) {
			family := c.Unique("conformance")
			var want []string
			for range 5 {
				want = append(want, *registered(c, definitionOf(c, family, nil)).TaskDefinitionArn)
			}
			for _, sort := range []types.SortOrder{types.SortOrderAsc, types.SortOrderDesc} {
				var got []string
				pages := ecs.NewListTaskDefinitionsPaginator(c.ECS, &ecs.ListTaskDefinitionsInput{FamilyPrefix: &family, Sort: sort, MaxResults: aws.Int32(2)})
				for pages.HasMorePages() {
					page, err := pages.NextPage(c.Ctx())
					c.OK(err)
					got = append(got, page.TaskDefinitionArns...)
				}
				if !slices.Equal(got, want) {
					c.Errorf("%s: %v", sort, got)
				}
				slices.Reverse(want)
			}
		}},
		{Name: "listings are of one status", Cite: "model: ListTaskDefinitionsInput.status", Run: func(c *C) {
			family := c.Unique("conformance")
			first := registered(c, definitionOf(c, family, nil))
			second := registered(c, definitionOf(c, family, nil))
			deregister(c, *first.TaskDefinitionArn)
			for status, want := range map[types.TaskDefinitionStatus]string{"": *second.TaskDefinitionArn, types.TaskDefinitionStatusInactive: *first.TaskDefinitionArn} {
				out, err := c.ECS.ListTaskDefinitions(c.Ctx(), &ecs.ListTaskDefinitionsInput{FamilyPrefix: &family, Status: status})
				c.OK(err)
				if !slices.Equal(out.TaskDefinitionArns, []string{want}) {
					c.Errorf("%q: %v", status, out.TaskDefinitionArns)
				}
			}
		}},
		{Name: "familyPrefix of revisions is a whole name", Cite: "model: ListTaskDefinitionsInput.familyPrefix", Run: func(c *C) {
			family := c.Unique("conformance")
			registered(c, definitionOf(c, family+"-x", nil))
			out, err := c.ECS.ListTaskDefinitions(c.Ctx(), &ecs.ListTaskDefinitionsInput{FamilyPrefix: &family})
			c.OK(err)
			if len(out.TaskDefinitionArns) != 0 {
				c.Errorf("%v", out.TaskDefinitionArns)
			}
		}},
		{Name: "familyPrefix of families is a prefix", Cite: "model: ListTaskDefinitionFamiliesInput.familyPrefix", Run: func(c *C) {
			prefix := c.Unique("conformance")
			for _, name := range []string{"", "-x", "_y"} {
				registered(c, definitionOf(c, prefix+name, nil))
			}
			out, err := c.ECS.ListTaskDefinitionFamilies(c.Ctx(), &ecs.ListTaskDefinitionFamiliesInput{FamilyPrefix: &prefix})
			c.OK(err)
			if !slices.Equal(out.Families, []string{prefix, prefix + "-x", prefix + "_y"}) {
				c.Errorf("%v", out.Families)
			}
		}},
		{Name: "a family without an ACTIVE revision is INACTIVE", Cite: familiesPage, Run: func(c *C) {
			d := registered(c, definitionOf(c, c.Unique("conformance"), nil))
			deregister(c, *d.TaskDefinitionArn)
			for status, want := range map[types.TaskDefinitionFamilyStatus]int{types.TaskDefinitionFamilyStatusActive: 0, types.TaskDefinitionFamilyStatusInactive: 1, types.TaskDefinitionFamilyStatusAll: 1} {
				out, err := c.ECS.ListTaskDefinitionFamilies(c.Ctx(), &ecs.ListTaskDefinitionFamiliesInput{FamilyPrefix: d.Family, Status: status})
				c.OK(err)
				if len(out.Families) != want {
					c.Errorf("%s: %v", status, out.Families)
				}
			}
		}},
		{Name: "a page of 101", Cite: "model: ListTaskDefinitionsInput.maxResults", Run: func(c *C) {
			_, err := c.ECS.ListTaskDefinitions(c.Ctx(), &ecs.ListTaskDefinitionsInput{MaxResults: aws.Int32(101)})
			c.Refused(err, "InvalidParameterException")
		}},
		{Name: "a token of nobody's", Cite: "model: ListTaskDefinitionsInput.nextToken", Run: func(c *C) {
			_, err := c.ECS.ListTaskDefinitions(c.Ctx(), &ecs.ListTaskDefinitionsInput{NextToken: aws.String("x")})
			c.Refused(err, "InvalidParameterException", "token")
		}},
		{Name: "an INACTIVE revision runs no task", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html", Run: func(c *C) {
			cluster, ref := c.Cluster(), c.Sleeper()
			deregister(c, ref)
			_, err := c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &ref})
			c.Refused(err, "ClientException", "inactive")
		}},
	})
}
