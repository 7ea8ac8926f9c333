package ecs

import (
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// validDefinition checks a normalized definition by ECS's rules. Each message
// names the field and the rule.
func validDefinition(def *sdk.RegisterTaskDefinitionInput) error {
	family := aws.ToString(def.Family)
	switch {
	case family == "":
		return client("Family should not be null or empty.")
	case !fleet.ValidName(family):
		return client("Family contains invalid characters: %q. Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", family)
	case len(def.ContainerDefinitions) == 0:
		return client("Container list cannot be empty.")
	case len(def.ContainerDefinitions) > 10:
		return client("Task definition has %d containers; at most 10 are allowed.", len(def.ContainerDefinitions))
	}
	switch def.NetworkMode {
	case "", types.NetworkModeBridge, types.NetworkModeHost, types.NetworkModeNone, types.NetworkModeAwsvpc:
	default:
		return client("Invalid network mode %q: it must be bridge, host, awsvpc or none.", def.NetworkMode)
	}
	if err := validEnum("pidMode", def.PidMode, types.PidModeHost, types.PidModeTask); err != nil {
		return err
	}
	if err := validEnum("ipcMode", def.IpcMode, types.IpcModeHost, types.IpcModeTask, types.IpcModeNone); err != nil {
		return err
	}
	if err := validTaskSize(def); err != nil {
		return err
	}
	volumes, err := validVolumes(def)
	if err != nil {
		return err
	}
	names := map[string]int{}
	essential := false
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		name := aws.ToString(c.Name)
		switch {
		case name == "":
			return client("Container.name should not be null or empty.")
		case !fleet.ValidName(name):
			return client("Container.name contains invalid characters: %q. Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
		}
		if _, twice := names[name]; twice {
			return client("Container names must be unique in a task definition: %q is given twice.", name)
		}
		names[name] = i
		essential = essential || aws.ToBool(c.Essential)
	}
	if !essential {
		return client("Task definition must have at least one essential container.")
	}
	for i := range def.ContainerDefinitions {
		if err := validContainer(def, &def.ContainerDefinitions[i], names, volumes); err != nil {
			return err
		}
	}
	if err := validDependencies(def, names); err != nil {
		return err
	}
	return validHostPorts(def)
}

// validEnum accepts the zero value, which means that the member was not given.
func validEnum[E ~string](field string, v E, known ...E) error {
	if v == "" || slices.Contains(known, v) {
		return nil
	}
	return client("Invalid setting for %s: %q is unknown; known are %v.", field, v, known)
}

// validTaskSize checks cpu and memory of the task against its containers'.
func validTaskSize(def *sdk.RegisterTaskDefinitionInput) error {
	cpu, err := cpuUnits(aws.ToString(def.Cpu))
	if err != nil {
		return err
	}
	if cpu != 0 && (cpu < 128 || cpu > 196608) {
		return client("Invalid 'cpu' setting for task: %d is not between 128 and 196608 CPU units.", cpu)
	}
	memory, err := memoryMiB(aws.ToString(def.Memory))
	if err != nil {
		return err
	}
	if memory == 0 && cpu == 0 {
		return nil
	}
	sum, cpus := 0, 0
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		cpus += int(c.Cpu)
		m := int(aws.ToInt32(c.Memory))
		if memory > 0 && m > memory {
			return client("Invalid setting for container '%s'. The container's 'memory' (%d MiB) is greater than the task's (%d MiB).", aws.ToString(c.Name), m, memory)
		}
		sum += int(aws.ToInt32(c.MemoryReservation))
		if c.MemoryReservation == nil {
			sum += m
		}
	}
	if memory > 0 && sum > memory {
		return client("The task's 'memory' (%d MiB) is less than the sum that its containers reserve (%d MiB).", memory, sum)
	}
	if cpu > 0 && cpus > cpu {
		return client("The task's 'cpu' (%d) is less than the sum of its containers' (%d).", cpu, cpus)
	}
	return nil
}

func validVolumes(def *sdk.RegisterTaskDefinitionInput) (map[string]bool, error) {
	volumes := map[string]bool{}
	for i := range def.Volumes {
		v := &def.Volumes[i]
		name := aws.ToString(v.Name)
		if !fleet.ValidName(name) {
			return nil, client("Volume.name %q is invalid. Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
		}
		if volumes[name] {
			return nil, client("Volume names must be unique in a task definition: %q is given twice.", name)
		}
		volumes[name] = true
		kinds := 0
		for _, set := range []bool{
			v.Host != nil && v.Host.SourcePath != nil, v.DockerVolumeConfiguration != nil, v.EfsVolumeConfiguration != nil,
			v.FsxWindowsFileServerVolumeConfiguration != nil, v.S3filesVolumeConfiguration != nil, aws.ToBool(v.ConfiguredAtLaunch),
		} {
			if set {
				kinds++
			}
		}
		if kinds > 1 {
			return nil, client("Volume '%s' has more than one configuration.", name)
		}
		if d := v.DockerVolumeConfiguration; d != nil {
			if err := validEnum("volume '"+name+"' scope", d.Scope, types.ScopeTask, types.ScopeShared); err != nil {
				return nil, err
			}
			if d.Autoprovision != nil && d.Scope != types.ScopeShared {
				return nil, client("Invalid setting for volume '%s'. 'autoprovision' can be set only when 'scope' is shared.", name)
			}
		}
	}
	return volumes, nil
}

func validContainer(def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition, names map[string]int, volumes map[string]bool) error {
	name := aws.ToString(c.Name)
	wrong := func(format string, args ...any) error {
		return client("Invalid setting for container '"+name+"'. "+format, args...)
	}
	memory, soft := aws.ToInt32(c.Memory), aws.ToInt32(c.MemoryReservation)
	switch {
	case aws.ToString(c.Image) == "":
		return client("Container.image should not be null or empty.")
	case len(*c.Image) > 255+64 || strings.ContainsAny(*c.Image, " \t\n"):
		return wrong("'image' %q is not the name of an image.", *c.Image)
	case c.Memory == nil && c.MemoryReservation == nil && def.Memory == nil:
		return wrong("At least one of 'memory' or 'memoryReservation' must be specified.")
	case c.Memory != nil && memory < 4:
		return wrong("'memory' must be at least 4 MiB, not %d.", memory)
	case c.MemoryReservation != nil && soft < 4:
		return wrong("'memoryReservation' must be at least 4 MiB, not %d.", soft)
	case c.Memory != nil && c.MemoryReservation != nil && memory <= soft:
		return wrong("'memory' (%d) must be greater than 'memoryReservation' (%d).", memory, soft)
	case c.Cpu < 0:
		return wrong("'cpu' must not be negative.")
	case aws.ToInt32(c.StopTimeout) < 0 || aws.ToInt32(c.StartTimeout) < 0:
		return wrong("'startTimeout' and 'stopTimeout' must not be negative.")
	}
	for i := range c.PortMappings {
		if err := validPort(def.NetworkMode, &c.PortMappings[i], wrong); err != nil {
			return err
		}
	}
	for _, m := range c.MountPoints {
		if v := aws.ToString(m.SourceVolume); !volumes[v] {
			return client("Unknown volume '%s'.", v)
		}
		if !strings.HasPrefix(aws.ToString(m.ContainerPath), "/") {
			return wrong("'mountPoints.containerPath' must be an absolute path, not %q.", aws.ToString(m.ContainerPath))
		}
	}
	for _, v := range c.VolumesFrom {
		if _, ok := names[aws.ToString(v.SourceContainer)]; !ok {
			return wrong("'volumesFrom' names the unknown container '%s'.", aws.ToString(v.SourceContainer))
		}
	}
	for _, e := range c.Environment {
		if n := aws.ToString(e.Name); n == "" || strings.ContainsAny(n, "=\x00") {
			return wrong("'environment' has the invalid name %q.", n)
		}
	}
	if len(c.Links) > 0 && def.NetworkMode != "" && def.NetworkMode != types.NetworkModeBridge {
		return wrong("'links' are not supported when networkMode=%s.", def.NetworkMode)
	}
	for _, l := range c.Links {
		to, _, _ := strings.Cut(l, ":")
		if _, ok := names[to]; !ok || to == name {
			return wrong("'links' names the unknown container '%s'.", to)
		}
	}
	for _, r := range c.ResourceRequirements {
		if err := validEnum("container '"+name+"' resourceRequirements.type", r.Type, types.ResourceTypeGpu, types.ResourceTypeInferenceAccelerator); err != nil {
			return err
		}
		if _, err := gpuCount(c); err != nil {
			return err
		}
	}
	if h := c.HealthCheck; h != nil {
		return validHealthCheck(h, wrong)
	}
	return nil
}

func validHealthCheck(h *types.HealthCheck, wrong func(string, ...any) error) error {
	for _, r := range []struct {
		field    string
		value    int32
		low, top int32
	}{
		{"interval", *h.Interval, 5, 300}, {"timeout", *h.Timeout, 2, 120},
		{"retries", *h.Retries, 1, 10}, {"startPeriod", aws.ToInt32(h.StartPeriod), 0, 300},
	} {
		if r.value < r.low || r.value > r.top {
			return wrong("'healthCheck.%s' must be between %d and %d, not %d.", r.field, r.low, r.top, r.value)
		}
	}
	if len(h.Command) == 0 {
		return wrong("'healthCheck.command' should not be empty.")
	}
	return nil
}

func validPort(mode types.NetworkMode, p *types.PortMapping, wrong func(string, ...any) error) error {
	if p.Protocol != types.TransportProtocolTcp && p.Protocol != types.TransportProtocolUdp {
		return wrong("'portMappings.protocol' must be tcp or udp, not %q.", p.Protocol)
	}
	if mode == types.NetworkModeNone {
		return wrong("'portMappings' are not supported when networkMode=none.")
	}
	if p.ContainerPortRange != nil {
		if p.ContainerPort != nil || p.HostPort != nil {
			return wrong("'portMappings' can't have 'containerPortRange' together with 'containerPort' or 'hostPort'.")
		}
		if _, _, err := fleet.ParsePortRange(*p.ContainerPortRange); err != nil {
			return wrong("'portMappings.containerPortRange': %v.", err)
		}
		return nil
	}
	c, h := aws.ToInt32(p.ContainerPort), aws.ToInt32(p.HostPort)
	switch {
	case c < 1 || c > 65535:
		return wrong("'portMappings.containerPort' must be between 1 and 65535, not %d.", c)
	case h < 0 || h > 65535:
		return wrong("'portMappings.hostPort' must be between 0 and 65535, not %d.", h)
	case mode == types.NetworkModeHost && h != c:
		return client("When networkMode=host, the host ports and container ports in port mappings must match.")
	case mode == types.NetworkModeAwsvpc && h != c:
		return client("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
	}
	return nil
}

// validDependencies checks dependsOn, and that no container waits for itself.
func validDependencies(def *sdk.RegisterTaskDefinitionInput, names map[string]int) error {
	needs := make([][]int, len(def.ContainerDefinitions))
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		for _, d := range c.DependsOn {
			j, ok := names[aws.ToString(d.ContainerName)]
			if !ok {
				return client("Invalid setting for container '%s'. 'dependsOn' names the unknown container '%s'.", *c.Name, aws.ToString(d.ContainerName))
			}
			switch d.Condition {
			case types.ContainerConditionStart, types.ContainerConditionComplete, types.ContainerConditionSuccess:
			case types.ContainerConditionHealthy:
				if def.ContainerDefinitions[j].HealthCheck == nil {
					return client("Invalid setting for container '%s'. It depends on '%s' to be HEALTHY, which has no 'healthCheck'.", *c.Name, *d.ContainerName)
				}
			default:
				return client("Invalid setting for container '%s'. 'dependsOn.condition' must be START, COMPLETE, SUCCESS or HEALTHY, not %q.", *c.Name, d.Condition)
			}
			needs[i] = append(needs[i], j)
		}
		for _, l := range c.Links {
			to, _, _ := strings.Cut(l, ":")
			needs[i] = append(needs[i], names[to])
		}
		for _, v := range c.VolumesFrom {
			needs[i] = append(needs[i], names[aws.ToString(v.SourceContainer)])
		}
	}
	const visiting, done = 1, 2
	state := make([]int, len(needs))
	var cyclic func(i int) bool
	cyclic = func(i int) bool {
		switch state[i] {
		case visiting:
			return true
		case done:
			return false
		}
		state[i] = visiting
		if slices.ContainsFunc(needs[i], cyclic) {
			return true
		}
		state[i] = done
		return false
	}
	for i := range needs {
		if cyclic(i) {
			return client("The dependencies of container '%s' form a cycle.", *def.ContainerDefinitions[i].Name)
		}
	}
	return nil
}

// validHostPorts refuses a fixed host port that two mappings of the task want.
func validHostPorts(def *sdk.RegisterTaskDefinitionInput) error {
	holder := map[fleet.Port]string{}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		for _, p := range hostPorts(def.NetworkMode, c) {
			if other, taken := holder[p]; taken {
				return client("The host port %s is wanted by the containers '%s' and '%s'.", p, other, *c.Name)
			}
			holder[p] = *c.Name
		}
	}
	return nil
}
