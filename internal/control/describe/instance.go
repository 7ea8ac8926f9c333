// Package describe converts tasks and container instances into ECS's structs. API
// answers and events both use it, so they show the same.
package describe

import (
	"slices"
	"strconv"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// InstanceFields are the optional members that a caller may ask for.
type InstanceFields struct{ Tags, Health bool }

// Instance describes a container instance. Its version is the revision of its newest
// change, so it grows with each change of what is shown.
func Instance(site fleet.Site, v store.View, fields InstanceFields) types.ContainerInstance {
	i, u := v.Instance, v.Usage
	out := types.ContainerInstance{
		ContainerInstanceArn: aws.String(site.InstanceARN(i.Cluster, i.ID)), Status: aws.String(string(i.Status)), StatusReason: shape.TextOrNil(i.StatusReason),
		RegisteredAt: aws.Time(i.RegisteredAt), Version: v.InstanceRevision, Attributes: shape.NotNil(i.Attributes), Attachments: []types.Attachment{}, Tags: []types.Tag{},
		RegisteredResources: resourcesOut(i.Resources, i.Registered.CPU, i.Registered.Memory, i.Registered.ReservedPorts),
		VersionInfo:         versionInfo(i.Runs(v.Session)), AgentConnected: v.Session != nil,
		Ec2InstanceId: aws.String(i.EC2InstanceID()),
	}
	cpu, memory := u.Free(&i.Registered)
	ports := slices.Clone(i.Registered.ReservedPorts)
	if u != nil {
		out.PendingTasksCount, out.RunningTasksCount = int32(u.Pending), int32(u.Running)
		ports = append(ports, u.Holders.Fixed()...)
	}
	out.RemainingResources = resourcesOut(i.Resources, cpu, memory, ports)
	if fields.Tags {
		out.Tags = shape.NotNil(i.Tags)
	}
	if fields.Health {
		out.HealthStatus = Health(v)
	}
	if name, ok := i.Attribute(fleet.AttributeProvider); ok && v.Cluster != nil && slices.Contains(v.Cluster.CapacityProviders, name) {
		out.CapacityProviderName = aws.String(name)
	}
	return out
}

func versionInfo(v fleet.VersionInfo) *types.VersionInfo {
	return &types.VersionInfo{AgentVersion: shape.TextOrNil(v.Agent), AgentHash: shape.TextOrNil(v.Hash), DockerVersion: shape.TextOrNil(v.Docker)}
}

// resourcesOut returns the resources in ECS's form. PORTS lists the ports in use that
// the agent or a task definition names, but not those that the host chose itself.
// Resources that only the agent knows are passed on as it sent them.
func resourcesOut(sent []types.Resource, cpu, memory int, ports []fleet.Port) []types.Resource {
	integer := func(name string, v int) types.Resource {
		return types.Resource{Name: aws.String(name), Type: aws.String("INTEGER"), IntegerValue: int32(v)}
	}
	set := func(name string, proto fleet.Protocol) types.Resource {
		r := types.Resource{Name: aws.String(name), Type: aws.String("STRINGSET"), StringSetValue: []string{}}
		for _, p := range ports {
			if p.Protocol == proto {
				r.StringSetValue = append(r.StringSetValue, strconv.Itoa(int(p.Number)))
			}
		}
		return r
	}
	out := []types.Resource{integer("CPU", cpu), integer("MEMORY", memory), set("PORTS", fleet.TCP), set("PORTS_UDP", fleet.UDP)}
	for _, r := range sent {
		switch aws.ToString(r.Name) {
		case "CPU", "MEMORY", "PORTS", "PORTS_UDP":
		default:
			out = append(out, r)
		}
	}
	return out
}
