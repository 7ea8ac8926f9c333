// Package payload builds the order that an agent receives from a placed task and its
// definition. The order has the definition's containers with the task's overrides merged
// in. Settings that only the container engine understands are in two JSON documents, which
// agents merge over their own. The package is pure: the same records give the same bytes.
package payload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Stop returns the order to stop a task.
func Stop(site fleet.Site, t *fleet.Task) acs.Task {
	return acs.Task{Arn: site.TaskARN(t.Cluster, t.ID), DesiredStatus: acs.StatusStopped, TaskClusterArn: site.ClusterARN(t.Cluster)}
}

// Run returns the order to run a task. d must be the task's own revision.
func Run(site fleet.Site, t *fleet.Task, d *fleet.TaskDefinition) (acs.Task, error) {
	def := d.Definition
	out := acs.Task{
		Arn: site.TaskARN(t.Cluster, t.ID), DesiredStatus: acs.StatusRunning, TaskClusterArn: site.ClusterARN(t.Cluster),
		Family: t.Family, Version: strconv.Itoa(t.Revision), NetworkMode: string(networkMode(def)),
		PIDMode: string(def.PidMode), IPCMode: string(def.IpcMode), LaunchType: string(t.LaunchType), Group: t.Group, ServiceName: t.Service(),
	}
	if err := setTaskSize(&out, def, t.Overrides); err != nil {
		return acs.Task{}, err
	}
	for i := range def.Volumes {
		out.Volumes = append(out.Volumes, buildVolume(&def.Volumes[i]))
	}
	free := t.Reserve.GPUs
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		o := findOverride(t.Overrides, aws.ToString(c.Name))
		oc, err := buildContainer(site, t, def, c, o)
		if err != nil {
			return acs.Task{}, fmt.Errorf("container %s: %w", aws.ToString(c.Name), err)
		}
		out.Containers = append(out.Containers, oc)
		for range min(countGPUs(c, o), len(free)) {
			out.Associations = append(out.Associations, acs.Associated{
				Type: "gpu", Name: free[0], Containers: []string{oc.Name}, Content: acs.Content{Encoding: "identity"},
			})
			free = free[1:]
		}
	}
	return out, nil
}

func networkMode(def *sdk.RegisterTaskDefinitionInput) types.NetworkMode {
	return cmp.Or(def.NetworkMode, types.NetworkModeBridge)
}

// setTaskSize sets the task's own limits. On the wire, CPU is in vCPUs and memory in MiB.
func setTaskSize(out *acs.Task, def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) error {
	cpu, memory := aws.ToString(def.Cpu), aws.ToString(def.Memory)
	if o != nil {
		cpu = cmp.Or(aws.ToString(o.Cpu), cpu)
		memory = cmp.Or(aws.ToString(o.Memory), memory)
	}
	if cpu != "" {
		units, err := strconv.Atoi(cpu)
		if err != nil {
			return fmt.Errorf("task cpu %q is not in CPU units", cpu)
		}
		out.CPU = float64(units) / 1024
	}
	if memory != "" {
		mib, err := strconv.ParseInt(memory, 10, 64)
		if err != nil {
			return fmt.Errorf("task memory %q is not in MiB", memory)
		}
		out.Memory = mib
	}
	return nil
}

// findOverride returns the overrides of a container, or empty ones.
func findOverride(o *types.TaskOverride, name string) *types.ContainerOverride {
	if o != nil {
		for i := range o.ContainerOverrides {
			if aws.ToString(o.ContainerOverrides[i].Name) == name {
				return &o.ContainerOverrides[i]
			}
		}
	}
	return &types.ContainerOverride{}
}

// countGPUs returns the number of GPUs that a container needs.
func countGPUs(c *types.ContainerDefinition, o *types.ContainerOverride) int {
	rs := c.ResourceRequirements
	if o.ResourceRequirements != nil {
		rs = o.ResourceRequirements
	}
	n := 0
	for _, r := range rs {
		if r.Type == types.ResourceTypeGpu {
			v, err := strconv.Atoi(aws.ToString(r.Value))
			if err == nil { // checked when the definition was registered and the task placed
				n += v
			}
		}
	}
	return n
}

// buildContainer returns a container's part of the order.
func buildContainer(site fleet.Site, t *fleet.Task, def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition, o *types.ContainerOverride) (acs.Container, error) {
	memory, soft := c.Memory, c.MemoryReservation
	if o.Memory != nil {
		memory = o.Memory
	}
	if o.MemoryReservation != nil {
		soft = o.MemoryReservation
	}
	out := acs.Container{
		Name: aws.ToString(c.Name), Image: aws.ToString(c.Image), Essential: aws.ToBool(c.Essential),
		Command: c.Command, EntryPoint: c.EntryPoint, Environment: mergeEnvironment(t, c, o),
		CPU: int64(c.Cpu), Memory: int64(aws.ToInt32(memory)), Links: c.Links,
		StartTimeout: int(aws.ToInt32(c.StartTimeout)), StopTimeout: int(aws.ToInt32(c.StopTimeout)),
	}
	if o.Command != nil {
		out.Command = o.Command
	}
	if o.Cpu != nil {
		out.CPU = int64(*o.Cpu)
	}
	for _, tc := range t.Containers {
		if tc.Name == out.Name {
			out.ContainerArn = site.ContainerARN(t.Cluster, t.ID, tc.ID)
		}
	}
	for _, p := range c.PortMappings {
		out.PortMappings = append(out.PortMappings, acs.PortMapping{
			ContainerPort: int(aws.ToInt32(p.ContainerPort)), HostPort: int(aws.ToInt32(p.HostPort)),
			ContainerPortRange: aws.ToString(p.ContainerPortRange), Protocol: strings.ToLower(string(p.Protocol)),
		})
	}
	for _, m := range c.MountPoints {
		out.MountPoints = append(out.MountPoints, acs.MountPoint{
			SourceVolume: aws.ToString(m.SourceVolume), ContainerPath: aws.ToString(m.ContainerPath), ReadOnly: aws.ToBool(m.ReadOnly),
		})
	}
	for _, v := range c.VolumesFrom {
		out.VolumesFrom = append(out.VolumesFrom, acs.VolumeFrom{SourceContainer: aws.ToString(v.SourceContainer), ReadOnly: aws.ToBool(v.ReadOnly)})
	}
	for _, d := range c.DependsOn {
		out.DependsOn = append(out.DependsOn, acs.Dependency{ContainerName: aws.ToString(d.ContainerName), Condition: string(d.Condition)})
	}
	if fleet.HasHealthCheck(c) {
		out.HealthCheckType = acs.HealthCheckDocker
	}
	if p := c.RestartPolicy; p != nil && aws.ToBool(p.Enabled) {
		r := &acs.RestartPolicy{Enabled: true, RestartAttemptPeriod: int(aws.ToInt32(p.RestartAttemptPeriod))}
		for _, code := range p.IgnoredExitCodes {
			r.IgnoredExitCodes = append(r.IgnoredExitCodes, int(code))
		}
		out.RestartPolicy = r
	}
	docker, err := encodeDockerConfig(t, def, c, memory, soft)
	out.DockerConfig = docker
	return out, err
}

// mergeEnvironment merges the override's variables over the definition's. The server sets
// AWS_EXECUTION_ENV.
func mergeEnvironment(t *fleet.Task, c *types.ContainerDefinition, o *types.ContainerOverride) map[string]string {
	env := map[string]string{"AWS_EXECUTION_ENV": "AWS_ECS_" + string(t.LaunchType)}
	for _, list := range [][]types.KeyValuePair{c.Environment, o.Environment} {
		for _, kv := range list {
			env[aws.ToString(kv.Name)] = aws.ToString(kv.Value)
		}
	}
	return env
}

func buildVolume(v *types.Volume) acs.Volume {
	out := acs.Volume{Name: aws.ToString(v.Name)}
	if d := v.DockerVolumeConfiguration; d != nil {
		out.Type = acs.VolumeDocker
		out.Docker = &acs.DockerVolume{
			Scope: string(cmp.Or(d.Scope, types.ScopeTask)), Autoprovision: aws.ToBool(d.Autoprovision),
			Driver: aws.ToString(d.Driver), DriverOpts: maps.Clone(d.DriverOpts), Labels: maps.Clone(d.Labels),
		}
		return out
	}
	out.Type = acs.VolumeHost
	out.Host = &acs.HostVolume{}
	if v.Host != nil {
		out.Host.SourcePath = aws.ToString(v.Host.SourcePath)
	}
	return out
}

func encodeDockerConfig(t *fleet.Task, def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition, memory, soft *int32) (*acs.DockerConfig, error) {
	config, err := json.Marshal(buildConfig(c))
	if err != nil {
		return nil, err
	}
	host, err := json.Marshal(buildHostConfig(t, def, c, memory, soft))
	if err != nil {
		return nil, err
	}
	return &acs.DockerConfig{Config: string(config), HostConfig: string(host)}, nil
}
