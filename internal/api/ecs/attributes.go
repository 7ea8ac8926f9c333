package ecs

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	capability    = "ecs.capability."
	oldCapability = "com.amazonaws.ecs.capability."
	remoteAPI     = oldCapability + "docker-remote-api."
)

// driverAPI is the Docker API that each log driver came with, by the agent's
// own list.
var driverAPI = map[types.LogDriver]string{
	types.LogDriverJsonFile: "1.18", types.LogDriverSyslog: "1.18", types.LogDriverJournald: "1.19", types.LogDriverAwslogs: "1.19",
	types.LogDriverGelf: "1.20", types.LogDriverFluentd: "1.20", types.LogDriverSplunk: "1.22",
}

// requiredAttributes computes what a definition needs of the agent that runs
// it, in the agents' own vocabulary. An attribute with a value must be met with
// that value.
func requiredAttributes(def *sdk.RegisterTaskDefinitionInput) []types.Attribute {
	need := map[string]string{}
	add := func(names ...string) {
		for _, n := range names {
			need[n] = ""
		}
	}
	if def.Cpu != nil || def.Memory != nil {
		add(capability + "task-cpu-mem-limit")
	}
	if cpu, err := cpuUnits(aws.ToString(def.Cpu)); err == nil && cpu > 10240 {
		add(capability + "increased-task-cpu-limit")
	}
	if def.TaskRoleArn != nil {
		add(oldCapability+"task-iam-role", remoteAPI+"1.17")
		if def.NetworkMode == types.NetworkModeHost {
			add(oldCapability + "task-iam-role-network-host")
		}
	}
	if def.NetworkMode == types.NetworkModeAwsvpc {
		add(capability + "task-eni")
	}
	// The host's namespaces need no container that holds them.
	if def.PidMode == types.PidModeTask || def.IpcMode == types.IpcModeTask {
		add(capability + "pid-ipc-namespace-sharing")
	}
	for _, v := range def.Volumes {
		switch {
		case v.DockerVolumeConfiguration != nil:
			driver := aws.ToString(v.DockerVolumeConfiguration.Driver)
			if driver == "" {
				driver = "local"
			}
			add(capability+"docker-plugin."+driver, remoteAPI+"1.25")
		case v.EfsVolumeConfiguration != nil:
			add(capability+"efs", remoteAPI+"1.25")
			if v.EfsVolumeConfiguration.AuthorizationConfig != nil || v.EfsVolumeConfiguration.TransitEncryption == types.EFSTransitEncryptionEnabled {
				add(capability + "efsAuth")
			}
		case v.FsxWindowsFileServerVolumeConfiguration != nil:
			add(capability + "fsxWindowsFileServer")
		case v.S3filesVolumeConfiguration != nil:
			add(capability + "storage.s3-files")
		case aws.ToBool(v.ConfiguredAtLaunch):
			add(capability + "storage.ebs-task-volume-attach")
		}
	}
	if def.ProxyConfiguration != nil {
		add(capability + "aws-appmesh")
	}
	if len(def.InferenceAccelerators) > 0 {
		add(capability + "task-eia")
	}
	if aws.ToBool(def.EnableFaultInjection) {
		add(capability + "fault-injection")
	}
	if def.RuntimePlatform != nil {
		switch def.RuntimePlatform.CpuArchitecture {
		case types.CPUArchitectureX8664:
			need["ecs.cpu-architecture"] = "x86_64"
		case types.CPUArchitectureArm64:
			need["ecs.cpu-architecture"] = "arm64"
		}
		if windows(def.RuntimePlatform.OperatingSystemFamily) {
			need["ecs.os-type"] = "windows"
		}
	}
	for i := range def.ContainerDefinitions {
		containerAttributes(def, &def.ContainerDefinitions[i], add)
	}
	out := make([]types.Attribute, 0, len(need))
	for name, value := range need {
		a := types.Attribute{Name: aws.String(name)}
		if value != "" {
			a.Value = aws.String(value)
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b types.Attribute) int { return strings.Compare(*a.Name, *b.Name) })
	return out
}

func containerAttributes(def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition, add func(...string)) {
	if l := c.LogConfiguration; l != nil {
		add(oldCapability + "logging-driver." + string(l.LogDriver))
		if v, ok := driverAPI[l.LogDriver]; ok {
			add(remoteAPI + v)
		}
		if l.LogDriver == types.LogDriverAwslogs && def.ExecutionRoleArn != nil {
			add(capability + "execution-role-awslogs")
		}
		for _, o := range l.SecretOptions {
			add(capability + "secrets." + secretStore(o) + ".bootstrap.log-driver")
		}
		if _, ok := l.Options["log-driver-buffer-limit"]; ok && l.LogDriver == types.LogDriverAwsfirelens {
			add(capability + "logging-driver.awsfirelens.log-driver-buffer-limit")
		}
	}
	for _, o := range c.DockerSecurityOptions {
		switch kind, _, _ := strings.Cut(o, ":"); kind {
		case "apparmor":
			add(oldCapability + "apparmor")
		case "label":
			add(oldCapability + "selinux")
		case "credentialspec":
			add(capability + "gmsa")
		}
	}
	for _, spec := range c.CredentialSpecs {
		if strings.HasPrefix(spec, "credentialspecdomainless:") {
			add(capability + "gmsa-domainless")
		} else {
			add(capability + "gmsa")
		}
	}
	if aws.ToBool(c.Privileged) {
		add(oldCapability + "privileged-container")
	}
	if len(c.Ulimits) > 0 {
		add(remoteAPI + "1.18")
	}
	if c.MemoryReservation != nil {
		add(remoteAPI + "1.21")
	}
	if c.HealthCheck != nil {
		add(capability+"container-health-check", remoteAPI+"1.24")
	}
	if len(c.DependsOn) > 0 || c.StartTimeout != nil || c.StopTimeout != nil {
		add(capability + "container-ordering")
	}
	if c.RestartPolicy != nil && aws.ToBool(c.RestartPolicy.Enabled) {
		add(capability + "container-restart-policy")
	}
	for _, p := range c.PortMappings {
		if p.ContainerPortRange != nil {
			add(capability + "network.container-port-range")
		}
	}
	if l := c.LinuxParameters; l != nil {
		if aws.ToBool(l.InitProcessEnabled) {
			add(remoteAPI + "1.25")
		}
		if l.SharedMemorySize != nil || len(l.Tmpfs) > 0 {
			add(remoteAPI + "1.22")
		}
	}
	for _, s := range c.Secrets {
		add(capability + "secrets." + secretStore(s) + ".environment-variables")
	}
	if len(c.EnvironmentFiles) > 0 {
		add(capability + "env-files.s3")
	}
	if c.RepositoryCredentials != nil {
		add(capability + "private-registry-authentication.secretsmanager")
	}
	if f := c.FirelensConfiguration; f != nil {
		add(capability + "firelens." + string(f.Type))
		if t := f.Options["config-file-type"]; t != "" {
			add(capability + "firelens.options.config." + t)
		}
	}
	if ecrImage(aws.ToString(c.Image)) {
		add(oldCapability+"ecr-auth", remoteAPI+"1.19")
		if def.ExecutionRoleArn != nil {
			add(capability + "execution-role-ecr-pull")
		}
	}
}

// secretStore names the store that a secret comes from, as agents do.
func secretStore(s types.Secret) string {
	if strings.Contains(aws.ToString(s.ValueFrom), ":secretsmanager:") {
		return "asm"
	}
	return "ssm"
}
