package definition

import (
	"strconv"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Reservation returns what one task of a definition reserves on its host: the task's
// own cpu and memory if they are set, else the sum over its containers (their soft
// memory limit rather than the hard one), with overrides applied. The agent computes
// the same.
func Reservation(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) (fleet.Reservation, error) {
	var r fleet.Reservation
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		cpu, memory := int(c.Cpu), int(aws.ToInt32(c.Memory))
		if c.MemoryReservation != nil {
			memory = int(*c.MemoryReservation)
		}
		if co := ContainerOverride(o, aws.ToString(c.Name)); co != nil {
			if co.Cpu != nil {
				cpu = int(*co.Cpu)
			}
			switch {
			case co.MemoryReservation != nil:
				memory = int(*co.MemoryReservation)
			case co.Memory != nil && c.MemoryReservation == nil:
				memory = int(*co.Memory)
			}
		}
		r.CPU += cpu
		r.Memory += memory
		r.Ports = append(r.Ports, hostPorts(def.NetworkMode, c)...)
	}
	cpu, memory, err := TaskSize(def, o)
	if err != nil {
		return r, err
	}
	if cpu > 0 {
		r.CPU = cpu
	}
	if memory > 0 {
		r.Memory = memory
	}
	return r, nil
}

// ContainerOverride returns the overrides of a container, or nil.
func ContainerOverride(o *types.TaskOverride, name string) *types.ContainerOverride {
	if o == nil {
		return nil
	}
	for i := range o.ContainerOverrides {
		if aws.ToString(o.ContainerOverrides[i].Name) == name {
			return &o.ContainerOverrides[i]
		}
	}
	return nil
}

// hostPorts returns the host ports that a container's mappings fix. Ranges fix none:
// with a bridge the host chooses the ports, and on the host's own network there are
// no ranges.
func hostPorts(mode types.NetworkMode, c *types.ContainerDefinition) []fleet.Port {
	if mode == types.NetworkModeAwsvpc || mode == types.NetworkModeNone {
		return nil
	}
	var ports []fleet.Port
	for i := range c.PortMappings {
		m := &c.PortMappings[i]
		proto := fleet.TCP
		if m.Protocol == types.TransportProtocolUdp {
			proto = fleet.UDP
		}
		if h := aws.ToInt32(m.HostPort); h > 0 {
			ports = append(ports, fleet.Port{Number: uint16(h), Protocol: proto})
		}
	}
	return ports
}

func countGPUs(container string, rs []types.ResourceRequirement) (int, error) {
	n := 0
	for _, r := range rs {
		if r.Type != types.ResourceTypeGpu {
			continue
		}
		v, err := strconv.Atoi(aws.ToString(r.Value))
		if err != nil || v < 1 || v > 64 {
			return 0, refuse.Client("Invalid setting for container '%s'. The number of GPUs must be between 1 and 64, not %q.", container, aws.ToString(r.Value))
		}
		n += v
	}
	return n, nil
}

// GPUs returns how many GPUs the containers of a task need together, with overrides
// applied.
func GPUs(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) (total int, err error) {
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		rs := c.ResourceRequirements
		if co := ContainerOverride(o, aws.ToString(c.Name)); co != nil && co.ResourceRequirements != nil {
			rs = co.ResourceRequirements
		}
		n, err := countGPUs(aws.ToString(c.Name), rs)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
