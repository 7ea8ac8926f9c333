package definition

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// normalize fills in what ECS fills in when it registers a definition, so that a
// description shows it and later code need not know the defaults. It copies lists
// before it changes them, because they belong to the request.
func normalize(def *sdk.RegisterTaskDefinitionInput) {
	omitEmpty(&def.TaskRoleArn, &def.ExecutionRoleArn, &def.Cpu, &def.Memory)
	def.ContainerDefinitions = slices.Clone(def.ContainerDefinitions)
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		omitEmpty(&c.User, &c.Hostname, &c.WorkingDirectory)
		if c.Essential == nil {
			c.Essential = aws.Bool(true)
		}
		c.Environment, c.MountPoints = shape.NotNil(c.Environment), shape.NotNil(c.MountPoints)
		c.VolumesFrom, c.SystemControls = shape.NotNil(c.VolumesFrom), shape.NotNil(c.SystemControls)
		c.PortMappings = slices.Clone(shape.NotNil(c.PortMappings))
		for j := range c.PortMappings {
			normalizePort(&c.PortMappings[j], def.NetworkMode)
		}
		if c.HealthCheck != nil {
			h := *c.HealthCheck
			h.Interval, h.Timeout, h.Retries = numberOr(h.Interval, 30), numberOr(h.Timeout, 5), numberOr(h.Retries, 3)
			c.HealthCheck = &h
		}
		if p := c.RestartPolicy; p != nil && aws.ToBool(p.Enabled) {
			q := *p
			q.RestartAttemptPeriod = numberOr(q.RestartAttemptPeriod, 300)
			c.RestartPolicy = &q
		}
		// A log router reads other containers' sockets, so root is the default.
		if c.FirelensConfiguration != nil && c.User == nil {
			c.User = aws.String("0")
		}
	}
	def.Volumes, def.PlacementConstraints = slices.Clone(shape.NotNil(def.Volumes)), shape.NotNil(def.PlacementConstraints)
	for i := range def.Volumes {
		normalizeVolume(&def.Volumes[i])
	}
	if p := def.ProxyConfiguration; p != nil {
		q := *p
		q.Type = cmp.Or(q.Type, types.ProxyConfigurationTypeAppmesh)
		def.ProxyConfiguration = &q
	}
	// What can't be parsed stays as it is; the check reports it.
	if n, err := parseCPU(aws.ToString(def.Cpu)); err == nil && n > 0 {
		def.Cpu = aws.String(strconv.Itoa(n))
	}
	if n, err := parseMemory(aws.ToString(def.Memory)); err == nil && n > 0 {
		def.Memory = aws.String(strconv.Itoa(n))
	}
}

func normalizePort(p *types.PortMapping, mode types.NetworkMode) {
	if p.Protocol == "" {
		p.Protocol = types.TransportProtocolTcp
	}
	if p.ContainerPortRange != nil || p.HostPort != nil {
		return
	}
	switch mode {
	case types.NetworkModeHost, types.NetworkModeAwsvpc:
		p.HostPort = p.ContainerPort
	default:
		p.HostPort = aws.Int32(0)
	}
}

// normalizeVolume gives a volume without further members a path on the host that is
// assigned there, and the other kinds their defaults.
func normalizeVolume(v *types.Volume) {
	if d := v.DockerVolumeConfiguration; d != nil {
		e := *d
		e.Scope = cmp.Or(e.Scope, types.ScopeTask)
		v.DockerVolumeConfiguration = &e
	}
	if e := v.EfsVolumeConfiguration; e != nil {
		f := *e
		if aws.ToString(f.RootDirectory) == "" {
			f.RootDirectory = aws.String("/")
		}
		v.EfsVolumeConfiguration = &f
	}
	if v.DockerVolumeConfiguration == nil && v.EfsVolumeConfiguration == nil && v.FsxWindowsFileServerVolumeConfiguration == nil &&
		v.S3filesVolumeConfiguration == nil && !aws.ToBool(v.ConfiguredAtLaunch) && v.Host == nil {
		v.Host = &types.HostVolumeProperties{}
	}
}

// omitEmpty makes nil of empty texts, which templates leave behind.
func omitEmpty(members ...**string) {
	for _, p := range members {
		*p = shape.TextOrNil(aws.ToString(*p))
	}
}

func numberOr(p *int32, v int32) *int32 {
	if p == nil {
		return &v
	}
	return p
}
