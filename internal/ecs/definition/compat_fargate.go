package definition

import (
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// steps are sizes in MiB: the first, the last, and the difference between two. If the
// difference is 0, each size is twice the one before.
type steps struct{ from, to, step int }

func (s steps) has(n int) bool {
	if n < s.from || n > s.to {
		return false
	}
	if s.step > 0 {
		return (n-s.from)%s.step == 0
	}
	for v := s.from; v <= s.to; v *= 2 {
		if v == n {
			return true
		}
	}
	return false
}

// fargateMemory lists, by CPU units, the memory that ECS's Fargate offers.
var fargateMemory = map[int]steps{
	256: {512, 2048, 0}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
	4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
	32768: {61440, 249856, 8192},
}

// fargateDrivers are the log drivers of Fargate.
var fargateDrivers = []types.LogDriver{types.LogDriverAwslogs, types.LogDriverSplunk, types.LogDriverAwsfirelens}

func fargateRefusal(def *sdk.RegisterTaskDefinitionInput) error {
	if def.NetworkMode != types.NetworkModeAwsvpc {
		return refuse.Client("Fargate only supports network mode ‘awsvpc’.")
	}
	if err := fargateSize(def); err != nil {
		return err
	}
	switch {
	case len(def.PlacementConstraints) > 0:
		return notOnFargate("constraints")
	case len(def.InferenceAccelerators) > 0:
		return notOnFargate("inferenceAccelerators")
	case def.IpcMode != "":
		return notOnFargate("ipcMode")
	case def.PidMode == types.PidModeHost:
		return refuse.Client("Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.")
	}
	for i := range def.Volumes {
		v := &def.Volumes[i]
		switch {
		case v.Host != nil && v.Host.SourcePath != nil:
			return notOnFargate("sourcePath. (volume '" + *v.Name + "')")
		case v.DockerVolumeConfiguration != nil:
			return notOnFargate("dockerVolumeConfiguration. (volume '" + *v.Name + "')")
		case v.FsxWindowsFileServerVolumeConfiguration != nil:
			return notOnFargate("fsxWindowsFileServerVolumeConfiguration. (volume '" + *v.Name + "')")
		}
	}
	for i := range def.ContainerDefinitions {
		if err := fargateContainer(def, &def.ContainerDefinitions[i]); err != nil {
			return err
		}
	}
	return nil
}

func fargateSize(def *sdk.RegisterTaskDefinitionInput) error {
	cpu, err := parseCPU(aws.ToString(def.Cpu))
	if err != nil {
		return err
	}
	memory, err := parseMemory(aws.ToString(def.Memory))
	if err != nil {
		return err
	}
	switch {
	case cpu == 0:
		return refuse.Client("Fargate requires that 'cpu' be defined at the task level.")
	case memory == 0:
		return refuse.Client("Fargate requires that 'memory' be defined at the task level.")
	case !fargateOffers(cpu, memory):
		return refuse.Client("No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values.", cpu, memory)
	}
	p := def.RuntimePlatform
	if p == nil || !OnWindows(p.OperatingSystemFamily) {
		return nil
	}
	switch {
	case strings.HasPrefix(string(p.OperatingSystemFamily), "WINDOWS_SERVER_2016"), strings.Contains(string(p.OperatingSystemFamily), "2004"), strings.Contains(string(p.OperatingSystemFamily), "20H2"):
		return refuse.Client("Fargate does not support the operatingSystemFamily %s.", p.OperatingSystemFamily)
	case cpu < 1024 || cpu > 4096:
		return refuse.Client("No Fargate configuration exists for given values: %d CPU, %d memory. With Windows containers, cpu must be from 1 vCPU to 4 vCPU.", cpu, memory)
	case def.PidMode != "":
		return refuse.Client("Tasks using the Fargate launch type do not support pidMode for Windows containers.")
	}
	return nil
}

// notOnFargate returns the refusal of a member, in ECS's words.
func notOnFargate(what string) error {
	return refuse.Client("Fargate compatible task definitions do not support %s", what)
}

func fargateContainer(def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) error {
	field := ""
	switch l := c.LinuxParameters; {
	case aws.ToBool(c.Privileged):
		return refuse.Client("Fargate requires that the 'privileged' setting be 'false'. (container '%s')", *c.Name)
	case len(c.Links) > 0:
		field = "links"
	case requiresOf(c, types.ResourceTypeGpu):
		return refuse.Client("Tasks using the Fargate launch type do not support GPU resource requirements. (container '%s')", *c.Name)
	case len(c.ResourceRequirements) > 0:
		field = "resourceRequirements"
	case len(c.DockerSecurityOptions) > 0:
		field = "dockerSecurityOptions"
	case l != nil && len(l.Devices) > 0:
		field = "devices"
	case l != nil && l.SharedMemorySize != nil:
		field = "sharedMemorySize"
	case l != nil && l.MaxSwap != nil:
		field = "maxSwap"
	case l != nil && l.Swappiness != nil:
		field = "swappiness"
	case c.FirelensConfiguration != nil && c.FirelensConfiguration.Options["config-file-type"] == "s3":
		field = "firelensConfiguration.options config-file-type s3"
	}
	if field != "" {
		return notOnFargate(field + ". (container '" + *c.Name + "')")
	}
	if l := c.LinuxParameters; l != nil && l.Capabilities != nil {
		for _, n := range l.Capabilities.Add {
			if n != "SYS_PTRACE" {
				return refuse.Client("%s is not allowed on Fargate. (container '%s')", n, *c.Name)
			}
		}
	}
	switch {
	case aws.ToInt32(c.StopTimeout) > 120:
		return refuse.Client("Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.")
	case c.StopTimeout != nil && *c.StopTimeout < 2:
		return refuse.Client("Tasks using the Fargate launch type must have a container stopTimeout of at least 2 seconds. (container '%s')", *c.Name)
	case c.StartTimeout != nil && (*c.StartTimeout < 2 || *c.StartTimeout > 120):
		return refuse.Client("Tasks using the Fargate launch type must have a container startTimeout between 2 and 120 seconds. (container '%s')", *c.Name)
	}
	return fargateRole(def, c)
}

// fargateRole checks logs, and that there is a role for what Fargate fetches before a
// container starts.
func fargateRole(def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) error {
	what := ""
	if l := c.LogConfiguration; l != nil {
		switch {
		case !slices.Contains(fargateDrivers, l.LogDriver):
			return notADriver(l.LogDriver, fargateDrivers)
		case l.LogDriver == types.LogDriverAwslogs && l.Options["awslogs-stream-prefix"] == "":
			return refuse.Client("Log driver awslogs requires options: awslogs-stream-prefix")
		case l.LogDriver == types.LogDriverAwslogs:
			what = "log driver awslogs"
		}
	}
	if ECRImage(aws.ToString(c.Image)) {
		what = "ECR images"
	}
	if len(c.EnvironmentFiles) > 0 {
		what = "environmentFiles"
	}
	if what != "" && def.ExecutionRoleArn == nil {
		return refuse.Client("Fargate requires task definition to have execution role ARN to support %s.", what)
	}
	return nil
}

// ECRImage reports whether an image is in a registry of Amazon ECR.
func ECRImage(image string) bool {
	return strings.Contains(image, ".dkr.ecr.") && strings.Contains(image, ".amazonaws.com")
}

func requiresOf(c *types.ContainerDefinition, typ types.ResourceType) bool {
	return slices.ContainsFunc(c.ResourceRequirements, func(r types.ResourceRequirement) bool { return r.Type == typ })
}
