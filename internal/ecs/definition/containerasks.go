package definition

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// driverAPI is the Docker API that ECS asks for with each log driver.
var driverAPI = map[types.LogDriver]string{
	types.LogDriverJsonFile: "1.18", types.LogDriverSyslog: "1.18", types.LogDriverJournald: "1.19", types.LogDriverAwslogs: "1.19",
	types.LogDriverGelf: "1.20", types.LogDriverFluentd: "1.20", types.LogDriverSplunk: "1.22", types.LogDriverAwsfirelens: "1.19",
}

// ofContainer is what a container asks of the agent.
func (a *asks) ofContainer(def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
	if c.LogConfiguration != nil {
		a.log(def, c.LogConfiguration)
	}
	a.security(c)
	if aws.ToBool(c.Privileged) {
		a.add(listed|needed, "privileged", onlyStock, oldCapability+"privileged-container")
	}
	if c.HealthCheck != nil {
		a.add(listed|needed, "healthCheck", updateAgent, capability+"container-health-check")
	}
	if len(c.DependsOn) > 0 || c.StartTimeout != nil || c.StopTimeout != nil {
		a.add(listed|needed, "dependsOn, startTimeout or stopTimeout", updateAgent, capability+"container-ordering")
	}
	if c.RestartPolicy != nil && aws.ToBool(c.RestartPolicy.Enabled) {
		a.add(listed|needed, "restartPolicy", updateAgent, capability+"container-restart-policy")
	}
	for _, p := range c.PortMappings {
		if p.ContainerPortRange != nil {
			a.add(listed|needed, "containerPortRange", updateAgent, capability+"network.container-port-range")
		}
	}
	for _, s := range c.Secrets {
		a.add(listed, "secrets", "", capability+"secrets."+secretStore(s)+".environment-variables")
	}
	if len(c.EnvironmentFiles) > 0 {
		a.add(listed, "environmentFiles", "", capability+"env-files.s3")
	}
	if c.RepositoryCredentials != nil {
		a.add(listed, "repositoryCredentials", "", capability+"private-registry-authentication.secretsmanager")
	}
	if f := c.FirelensConfiguration; f != nil {
		a.add(listed, "firelensConfiguration", "", capability+"firelens."+string(f.Type))
		if t := f.Options["config-file-type"]; t != "" {
			a.add(listed, "firelensConfiguration", "", capability+"firelens.options.config."+t)
		}
	}
	if ECRImage(aws.ToString(c.Image)) {
		a.add(listed, "image", "", oldCapability+"ecr-auth")
		if def.ExecutionRoleArn != nil {
			a.add(listed, "image", "", capability+"execution-role-ecr-pull")
		}
	}
}

func (a *asks) log(def *sdk.RegisterTaskDefinitionInput, l *types.LogConfiguration) {
	u, thing := listed|needed, "the log driver "+string(l.LogDriver)
	if l.LogDriver == types.LogDriverAwsfirelens {
		u = listed
	}
	a.add(u, thing, logToHost, oldCapability+"logging-driver."+string(l.LogDriver))
	if v, ok := driverAPI[l.LogDriver]; ok {
		a.add(u, thing, logToHost, remoteAPI+v)
	}
	if l.LogDriver == types.LogDriverAwslogs {
		if def.ExecutionRoleArn != nil {
			// Here a host's engine writes logs with credentials of its own.
			a.add(listed, thing, "", capability+"execution-role-awslogs")
		}
		if _, ok := l.Options["awslogs-create-group"]; ok {
			a.add(listed|needed, "the log option awslogs-create-group", updateEngine, remoteAPI+"1.29")
		}
	}
	for _, option := range []string{"mode", "max-buffer-size"} {
		if _, ok := l.Options[option]; ok {
			a.add(listed|needed, "the log options mode and max-buffer-size", updateEngine, remoteAPI+"1.28")
		}
	}
	if _, ok := l.Options["log-driver-buffer-limit"]; ok && l.LogDriver == types.LogDriverAwsfirelens {
		a.add(listed, thing, "", capability+"logging-driver.awsfirelens.log-driver-buffer-limit")
	}
	for _, o := range l.SecretOptions {
		a.add(listed, "secretOptions", "", capability+"secrets."+secretStore(o)+".bootstrap.log-driver")
	}
}

func (a *asks) security(c *types.ContainerDefinition) {
	for _, o := range c.DockerSecurityOptions {
		switch kind, _, _ := strings.Cut(o, ":"); kind {
		case "apparmor":
			a.add(listed|needed, "dockerSecurityOptions apparmor", onlyStock, oldCapability+"apparmor")
		case "label":
			a.add(listed|needed, "dockerSecurityOptions label", onlyStock, oldCapability+"selinux")
		case "credentialspec":
			a.add(listed|needed, "dockerSecurityOptions credentialspec", onlyStock, capability+"gmsa")
		}
	}
	for _, spec := range c.CredentialSpecs {
		if strings.HasPrefix(spec, "credentialspecdomainless:") {
			a.add(listed, "credentialSpecs", "", capability+"gmsa-domainless")
		} else {
			a.add(listed, "credentialSpecs", "", capability+"gmsa")
		}
	}
}

// ofEngine is what a container asks of the engine's API. ECS asks for some of it
// also where a list is given and empty.
func (a *asks) ofEngine(mode types.NetworkMode, c *types.ContainerDefinition) {
	api := func(version, thing string, asked bool) {
		if asked {
			a.add(listed|needed, thing, updateEngine, remoteAPI+version)
		}
	}
	api("1.17", "workingDirectory", aws.ToString(c.WorkingDirectory) != "")
	api("1.17", "hostname", aws.ToString(c.Hostname) != "")
	api("1.17", "dnsServers", c.DnsServers != nil)
	api("1.17", "dnsSearchDomains", c.DnsSearchDomains != nil)
	api("1.17", "extraHosts", c.ExtraHosts != nil)
	api("1.24", "extraHosts", len(c.ExtraHosts) > 0 && mode == types.NetworkModeHost)
	api("1.17", "dockerLabels", len(c.DockerLabels) > 0)
	api("1.18", "dockerLabels", len(c.DockerLabels) > 0)
	api("1.18", "ulimits", c.Ulimits != nil)
	api("1.21", "memoryReservation", c.MemoryReservation != nil)
	if h := c.HealthCheck; h != nil {
		api("1.24", "healthCheck", h.StartPeriod == nil)
		api("1.29", "healthCheck.startPeriod", h.StartPeriod != nil)
	}
	if l := c.LinuxParameters; l != nil {
		api("1.25", "linuxParameters.initProcessEnabled", aws.ToBool(l.InitProcessEnabled))
		api("1.22", "linuxParameters.sharedMemorySize", l.SharedMemorySize != nil)
		api("1.22", "linuxParameters.tmpfs", len(l.Tmpfs) > 0)
	}
}

// secretStore names the store that a secret comes from, as agents do.
func secretStore(s types.Secret) string {
	if strings.Contains(aws.ToString(s.ValueFrom), ":secretsmanager:") {
		return "asm"
	}
	return "ssm"
}
