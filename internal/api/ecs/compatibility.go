package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// fargateMemory lists, by CPU units, the memory that ECS's Fargate offers in
// MiB: from, to, step.
var fargateMemory = map[int][3]int{
	256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
	4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
	32768: {61440, 249856, 8192},
}

// compatibilities computes the launch types that a valid definition suits, and
// refuses it where it does not suit those that it requires.
func compatibilities(def *sdk.RegisterTaskDefinitionInput) ([]types.Compatibility, error) {
	var out []types.Compatibility
	why := map[types.Compatibility]error{
		types.CompatibilityExternal:         externalRefusal(def),
		types.CompatibilityEc2:              nil,
		types.CompatibilityFargate:          fargateRefusal(def),
		types.CompatibilityManagedInstances: managedRefusal(def),
	}
	for _, c := range []types.Compatibility{types.CompatibilityExternal, types.CompatibilityEc2, types.CompatibilityFargate, types.CompatibilityManagedInstances} {
		if why[c] == nil {
			out = append(out, c)
		}
	}
	for _, c := range def.RequiresCompatibilities {
		err, known := why[c]
		if !known {
			return nil, client("Invalid setting for requiresCompatibilities: %q is unknown; known are EC2, FARGATE, EXTERNAL and MANAGED_INSTANCES.", c)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func externalRefusal(def *sdk.RegisterTaskDefinitionInput) error {
	switch {
	case def.NetworkMode == types.NetworkModeAwsvpc:
		return client("External does not support network mode 'awsvpc'.")
	case slices.ContainsFunc(def.Volumes, func(v types.Volume) bool { return v.EfsVolumeConfiguration != nil }):
		return client("External does not support EFS volumes.")
	case slices.ContainsFunc(def.Volumes, func(v types.Volume) bool { return v.FsxWindowsFileServerVolumeConfiguration != nil }):
		return client("External does not support FSx volumes.")
	case slices.ContainsFunc(def.Volumes, func(v types.Volume) bool { return aws.ToBool(v.ConfiguredAtLaunch) }):
		return client("External does not support volumes configured at launch.")
	case def.ProxyConfiguration != nil:
		return client("External does not support 'proxyConfiguration'.")
	case len(def.InferenceAccelerators) > 0:
		return client("External does not support 'inferenceAccelerators'.")
	}
	return nil
}

func fargateRefusal(def *sdk.RegisterTaskDefinitionInput) error {
	cpu, err := cpuUnits(aws.ToString(def.Cpu))
	if err != nil {
		return err
	}
	memory, err := memoryMiB(aws.ToString(def.Memory))
	if err != nil {
		return err
	}
	size, offered := fargateMemory[cpu]
	switch {
	case def.NetworkMode != types.NetworkModeAwsvpc:
		return client("Fargate only supports network mode 'awsvpc'.")
	case cpu == 0:
		return client("Fargate requires that 'cpu' be defined at the task level.")
	case memory == 0:
		return client("Fargate requires that 'memory' be defined at the task level.")
	case !offered || memory < size[0] || memory > size[1] || (memory-size[0])%size[2] != 0:
		return client("No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values.", cpu, memory)
	case len(def.PlacementConstraints) > 0:
		return client("Fargate does not support 'placementConstraints'.")
	case len(def.InferenceAccelerators) > 0:
		return client("Fargate does not support 'inferenceAccelerators'.")
	case def.IpcMode != "":
		return client("Fargate does not support 'ipcMode'.")
	case def.PidMode == types.PidModeHost:
		return client("Fargate does not support 'pidMode' host.")
	}
	for _, v := range def.Volumes {
		if v.DockerVolumeConfiguration != nil || (v.Host != nil && v.Host.SourcePath != nil) {
			return client("Fargate does not support the configuration of volume '%s'.", aws.ToString(v.Name))
		}
	}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		field := ""
		switch {
		case aws.ToBool(c.Privileged):
			field = "privileged"
		case len(c.Links) > 0:
			field = "links"
		case len(c.ResourceRequirements) > 0:
			field = "resourceRequirements"
		case aws.ToBool(c.DisableNetworking):
			field = "disableNetworking"
		case len(c.DnsServers) > 0:
			field = "dnsServers"
		case len(c.DnsSearchDomains) > 0:
			field = "dnsSearchDomains"
		case len(c.ExtraHosts) > 0:
			field = "extraHosts"
		case c.Hostname != nil:
			field = "hostname"
		case len(c.DockerSecurityOptions) > 0:
			field = "dockerSecurityOptions"
		}
		if field != "" {
			return client("Fargate does not support '%s' (container '%s').", field, aws.ToString(c.Name))
		}
	}
	return nil
}

func managedRefusal(def *sdk.RegisterTaskDefinitionInput) error {
	switch {
	case def.NetworkMode != types.NetworkModeAwsvpc && def.NetworkMode != types.NetworkModeHost:
		return client("Managed instances only support network modes 'awsvpc' and 'host'.")
	case def.Cpu == nil || def.Memory == nil:
		return client("Managed instances require that 'cpu' and 'memory' be defined at the task level.")
	}
	return nil
}

// notRunnable says why Ashore's hosts can't run a definition yet. It registers
// nevertheless: it is right, and a later version runs it.
func notRunnable(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) error {
	no := func(what string) error { return unsupported("Ashore does not run %s yet.", what) }
	taskRole := def.TaskRoleArn
	if o != nil && o.TaskRoleArn != nil {
		taskRole = o.TaskRoleArn
	}
	switch {
	case aws.ToString(taskRole) != "":
		return no("task definitions with a taskRoleArn: it has no credentials to give to tasks")
	case def.PidMode == types.PidModeTask:
		return no("task definitions with pidMode task; host is run")
	case def.IpcMode == types.IpcModeTask:
		return no("task definitions with ipcMode task; host and none are run")
	case def.ProxyConfiguration != nil:
		return no("task definitions with a proxyConfiguration")
	case len(def.InferenceAccelerators) > 0:
		return no("task definitions with inferenceAccelerators")
	case len(def.PlacementConstraints) > 0:
		return no("task definitions with placementConstraints")
	}
	for _, v := range def.Volumes {
		switch {
		case v.EfsVolumeConfiguration != nil:
			return no("EFS volumes (volume '" + aws.ToString(v.Name) + "')")
		case v.FsxWindowsFileServerVolumeConfiguration != nil:
			return no("FSx volumes (volume '" + aws.ToString(v.Name) + "')")
		case v.S3filesVolumeConfiguration != nil:
			return no("S3 volumes (volume '" + aws.ToString(v.Name) + "')")
		case aws.ToBool(v.ConfiguredAtLaunch):
			return no("volumes configured at launch (volume '" + aws.ToString(v.Name) + "')")
		}
	}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		what := ""
		co := containerOverride(o, aws.ToString(c.Name))
		switch {
		case len(c.Secrets) > 0:
			what = "secrets"
		case len(c.EnvironmentFiles) > 0 || (co != nil && len(co.EnvironmentFiles) > 0):
			what = "environmentFiles"
		case c.RepositoryCredentials != nil:
			what = "repositoryCredentials"
		case c.FirelensConfiguration != nil:
			what = "firelensConfiguration"
		case len(c.CredentialSpecs) > 0:
			what = "credentialSpecs"
		case c.LogConfiguration != nil && len(c.LogConfiguration.SecretOptions) > 0:
			what = "logConfiguration.secretOptions"
		case c.LogConfiguration != nil && c.LogConfiguration.LogDriver == types.LogDriverAwsfirelens:
			what = "the log driver awsfirelens"
		}
		if what != "" {
			return no(what + " (container '" + aws.ToString(c.Name) + "')")
		}
	}
	return nil
}

func windows(f types.OSFamily) bool { return f != "" && f != types.OSFamilyLinux }
