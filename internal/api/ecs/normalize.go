package ecs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// normalize fills in what ECS fills in when it registers a definition, so that
// a description shows it and nobody later has to know the defaults. What it
// changes it copies first: the lists are the request's.
func normalize(def *sdk.RegisterTaskDefinitionInput) {
	def.ContainerDefinitions = slices.Clone(def.ContainerDefinitions)
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		if c.Essential == nil {
			c.Essential = aws.Bool(true)
		}
		c.Environment, c.MountPoints = orEmpty(c.Environment), orEmpty(c.MountPoints)
		c.VolumesFrom, c.SystemControls = orEmpty(c.VolumesFrom), orEmpty(c.SystemControls)
		c.PortMappings = slices.Clone(orEmpty(c.PortMappings))
		for j := range c.PortMappings {
			normalizePort(&c.PortMappings[j], def.NetworkMode)
		}
		if c.HealthCheck != nil {
			h := *c.HealthCheck
			h.Interval, h.Timeout, h.Retries = orDefault(h.Interval, 30), orDefault(h.Timeout, 5), orDefault(h.Retries, 3)
			c.HealthCheck = &h
		}
		if p := c.RestartPolicy; p != nil && aws.ToBool(p.Enabled) {
			q := *p
			q.RestartAttemptPeriod = orDefault(q.RestartAttemptPeriod, 300)
			c.RestartPolicy = &q
		}
	}
	def.Volumes, def.PlacementConstraints = orEmpty(def.Volumes), orEmpty(def.PlacementConstraints)
	// What can't be parsed stays as it is, for the check to name.
	if n, err := cpuUnits(aws.ToString(def.Cpu)); err == nil && n > 0 {
		def.Cpu = aws.String(strconv.Itoa(n))
	}
	if n, err := memoryMiB(aws.ToString(def.Memory)); err == nil && n > 0 {
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

func orDefault(p *int32, v int32) *int32 {
	if p == nil {
		return &v
	}
	return p
}

// cpuUnits reads a task's cpu: units ("256") or vCPUs (".25 vCPU"). Empty is 0.
func cpuUnits(s string) (int, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "" {
		return 0, nil
	}
	if v, ok := strings.CutSuffix(t, "vcpu"); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil || f <= 0 || f > 1024 {
			return 0, client("Invalid 'cpu' setting for task: %q is neither CPU units nor vCPUs.", s)
		}
		return int(f * 1024), nil
	}
	n, err := strconv.Atoi(t)
	if err != nil || n <= 0 || n > 1<<20 {
		return 0, client("Invalid 'cpu' setting for task: %q is neither CPU units nor vCPUs.", s)
	}
	return n, nil
}

// memoryMiB reads a task's memory: MiB ("512") or GB ("1 GB"). Empty is 0.
func memoryMiB(s string) (int, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "" {
		return 0, nil
	}
	if v, ok := strings.CutSuffix(t, "gb"); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil || f <= 0 || f > 1<<20 {
			return 0, client("Invalid 'memory' setting for task: %q is neither MiB nor GB.", s)
		}
		return int(f * 1024), nil
	}
	n, err := strconv.Atoi(t)
	if err != nil || n <= 0 || n > 1<<30 {
		return 0, client("Invalid 'memory' setting for task: %q is neither MiB nor GB.", s)
	}
	return n, nil
}
