package ecs

import (
	"regexp"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// portName is what a port mapping may be called: it becomes part of a host name.
var portName = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]{0,63}$`)

// span is a range of a container's ports.
type span struct {
	from, to uint16
	ranged   bool
}

func (s subject) validPortMappings() error {
	mode := s.def.NetworkMode
	used := map[types.TransportProtocol][]span{}
	ranges := 0
	for i := range s.c.PortMappings {
		p := &s.c.PortMappings[i]
		ports, err := s.validPort(p)
		if err != nil {
			return err
		}
		if ports.ranged {
			ranges++
		}
		for _, other := range used[p.Protocol] {
			// With a bridge, one port can be reached through several of the host's.
			shared := mode != types.NetworkModeHost && mode != types.NetworkModeAwsvpc && !ports.ranged && !other.ranged
			if !shared && ports.from <= other.to && other.from <= ports.to {
				return s.wrong("'portMappings' must not include a container port more than once: %d-%d/%s overlaps with %d-%d.", ports.from, ports.to, p.Protocol, other.from, other.to)
			}
		}
		used[p.Protocol] = append(used[p.Protocol], ports)
	}
	if ranges > 100 {
		return s.wrong("'portMappings' can have at most 100 ranges, not %d.", ranges)
	}
	return nil
}

func (s subject) validPort(p *types.PortMapping) (span, error) {
	mode := s.def.NetworkMode
	c, h := aws.ToInt32(p.ContainerPort), aws.ToInt32(p.HostPort)
	switch {
	case p.Protocol != types.TransportProtocolTcp && p.Protocol != types.TransportProtocolUdp:
		return span{}, s.wrong("'portMappings.protocol' must be tcp or udp, not %q.", p.Protocol)
	case mode == types.NetworkModeNone:
		return span{}, s.wrong("'portMappings' are not supported when networkMode=none.")
	case p.Name != nil && !portName.MatchString(*p.Name):
		return span{}, s.wrong("'portMappings.name' must have up to 64 lowercase letters, numbers, underscores and hyphens, and not start with a hyphen: %q does not.", *p.Name)
	case p.ContainerPortRange != nil:
		return s.validRange(p)
	case c < 1 || c > 65535:
		return span{}, s.wrong("'portMappings.containerPort' must be between 1 and 65535, not %d.", c)
	case h < 0 || h > 65535:
		return span{}, s.wrong("'portMappings.hostPort' must be between 0 and 65535, not %d.", h)
	case (mode == types.NetworkModeHost || mode == types.NetworkModeAwsvpc) && h != c:
		return span{}, client("When networkMode=%s, the host ports and container ports in port mappings must match.", mode)
	}
	if err := validEnum("container '"+*s.c.Name+"' portMappings.appProtocol", p.AppProtocol, types.ApplicationProtocolHttp, types.ApplicationProtocolHttp2, types.ApplicationProtocolGrpc); err != nil {
		return span{}, err
	}
	return span{from: uint16(c), to: uint16(c)}, nil
}

func (s subject) validRange(p *types.PortMapping) (span, error) {
	if p.ContainerPort != nil || p.HostPort != nil {
		return span{}, s.wrong("'portMappings' can't have 'containerPortRange' together with 'containerPort' or 'hostPort'.")
	}
	if s.def.NetworkMode == types.NetworkModeHost {
		return span{}, s.wrong("'portMappings.containerPortRange' is only supported when networkMode is bridge or awsvpc.")
	}
	from, to, err := fleet.ParsePortRange(*p.ContainerPortRange)
	if err != nil {
		return span{}, s.wrong("'portMappings.containerPortRange': %v, between 1 and 65535.", err)
	}
	if from == to {
		return span{}, s.wrong("'portMappings.containerPortRange': the first port of %q must be less than the last.", *p.ContainerPortRange)
	}
	return span{from, to, true}, nil
}

// validPorts refuses what two mappings of the task want: a host port, a port of
// the network interface that its containers share, or a name.
func validPorts(def *sdk.RegisterTaskDefinitionInput, _ map[string]int) error {
	holder := map[fleet.Port]string{}
	named := map[string]string{}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		ports, place := hostPorts(def.NetworkMode, c), "host"
		if def.NetworkMode == types.NetworkModeAwsvpc {
			ports, place = hostPorts(types.NetworkModeHost, c), "container"
		}
		for _, p := range ports {
			if other, taken := holder[p]; taken {
				return client("The %s port %s is wanted by the containers '%s' and '%s'.", place, p, other, *c.Name)
			}
			holder[p] = *c.Name
		}
		for _, m := range c.PortMappings {
			if m.Name == nil {
				continue
			}
			if other, taken := named[*m.Name]; taken {
				return client("portMappings.name must be unique in a task definition: %q is given by the containers '%s' and '%s'.", *m.Name, other, *c.Name)
			}
			named[*m.Name] = *c.Name
		}
	}
	return nil
}
