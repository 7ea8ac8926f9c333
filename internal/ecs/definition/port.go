package definition

import (
	"regexp"
	"slices"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// portName matches the allowed names of a port mapping: the name becomes part of a host name.
var portName = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]{0,63}$`)

// span is the container ports of one mapping.
type span struct {
	fleet.PortSpan
	ranged bool
}

func (s subject) checkPortMappings() error {
	ranges := 0
	var used []span
	for i := range s.c.PortMappings {
		ports, err := s.checkPort(&s.c.PortMappings[i])
		if err != nil {
			return err
		}
		if ports.ranged {
			ranges++
		}
		used = append(used, ports)
	}
	if ranges > 100 {
		return s.newError("'portMappings' can have at most 100 ranges, not %d.", ranges)
	}
	return s.checkOverlaps(used)
}

// checkOverlaps refuses a port of the container that two mappings have.
func (s subject) checkOverlaps(used []span) error {
	mode := s.def.NetworkMode
	slices.SortFunc(used, func(a, b span) int { return a.Compare(b.PortSpan) })
	var far span // the earlier span that ends last
	for i, p := range used {
		if i > 0 {
			// With a bridge, one container port can be reached through several host ports.
			shared := mode != types.NetworkModeHost && mode != types.NetworkModeAwsvpc && !p.ranged && !far.ranged
			if _, both := p.Common(far.PortSpan); both && !shared {
				return s.newError("'portMappings' must not include a container port more than once: %d-%d/%s overlaps with %d-%d.", p.First, p.Last, p.Protocol, far.First, far.Last)
			}
		}
		if far.Protocol != p.Protocol || far.Last < p.Last {
			far = p
		}
	}
	return nil
}

func (s subject) checkPort(p *types.PortMapping) (span, error) {
	mode := s.def.NetworkMode
	c, h := aws.ToInt32(p.ContainerPort), aws.ToInt32(p.HostPort)
	switch {
	case p.Protocol != types.TransportProtocolTcp && p.Protocol != types.TransportProtocolUdp:
		return span{}, s.newError("'portMappings.protocol' must be tcp or udp, not %q.", p.Protocol)
	case mode == types.NetworkModeNone:
		return span{}, s.newError("'portMappings' are not supported when networkMode=none.")
	case p.Name != nil && !portName.MatchString(*p.Name):
		return span{}, s.newError("'portMappings.name' must have up to 64 lowercase letters, numbers, underscores and hyphens, and not start with a hyphen: %q does not.", *p.Name)
	case p.ContainerPortRange != nil:
		return s.checkRange(p)
	case c < 1 || c > 65535:
		return span{}, s.newError("'portMappings.containerPort' must be between 1 and 65535, not %d.", c)
	case h < 0 || h > 65535:
		return span{}, s.newError("'portMappings.hostPort' must be between 0 and 65535, not %d.", h)
	case (mode == types.NetworkModeHost || mode == types.NetworkModeAwsvpc) && h != c:
		return span{}, refuse.Client("When networkMode=%s, the host ports and container ports in port mappings must match.", mode)
	}
	if err := checkEnum("container '"+*s.c.Name+"' portMappings.appProtocol", p.AppProtocol, types.ApplicationProtocolHttp, types.ApplicationProtocolHttp2, types.ApplicationProtocolGrpc); err != nil {
		return span{}, err
	}
	return span{PortSpan: fleet.Port{Number: uint16(c), Protocol: fleet.Protocol(p.Protocol)}.Span()}, nil
}

func (s subject) checkRange(p *types.PortMapping) (span, error) {
	if p.ContainerPort != nil || p.HostPort != nil {
		return span{}, s.newError("'portMappings' can't have 'containerPortRange' together with 'containerPort' or 'hostPort'.")
	}
	if s.def.NetworkMode == types.NetworkModeHost {
		return span{}, s.newError("'portMappings.containerPortRange' is only supported when networkMode is bridge or awsvpc.")
	}
	from, to, err := fleet.ParsePortRange(*p.ContainerPortRange)
	if err != nil {
		return span{}, s.newError("'portMappings.containerPortRange': %v, between 1 and 65535.", err)
	}
	if from == to {
		return span{}, s.newError("'portMappings.containerPortRange': the first port of %q must be less than the last.", *p.ContainerPortRange)
	}
	return span{fleet.PortSpan{First: from, Last: to, Protocol: fleet.Protocol(p.Protocol)}, true}, nil
}

// checkPorts refuses what two mappings of the task need exclusively: a host port, a
// port of the network interface that the containers share, or a name.
func checkPorts(def *sdk.RegisterTaskDefinitionInput, _ map[string]int) error {
	var wanted []want
	named := map[string]string{}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		for _, s := range wantedPorts(def.NetworkMode, c) {
			wanted = append(wanted, want{s, *c.Name})
		}
		for _, m := range c.PortMappings {
			if m.Name == nil {
				continue
			}
			if other, taken := named[*m.Name]; taken {
				return refuse.Client("portMappings.name must be unique in a task definition: %q is given by the containers '%s' and '%s'.", *m.Name, other, *c.Name)
			}
			named[*m.Name] = *c.Name
		}
	}
	slices.SortStableFunc(wanted, func(a, b want) int { return a.Compare(b.PortSpan) })
	for i := 1; i < len(wanted); i++ {
		a, b := wanted[i-1], wanted[i]
		if both, overlap := a.Common(b.PortSpan); overlap {
			place := "host"
			if def.NetworkMode == types.NetworkModeAwsvpc {
				place = "container"
			}
			return refuse.Client("The %s port %s is wanted by the containers '%s' and '%s'.", place, both, a.container, b.container)
		}
	}
	return nil
}

// want is what a container needs of ports that only one container can have.
type want struct {
	fleet.PortSpan
	container string
}

// wantedPorts returns the host ports that a container's mappings fix. In awsvpc mode
// it returns the ports on the network interface that the containers share.
func wantedPorts(mode types.NetworkMode, c *types.ContainerDefinition) []fleet.PortSpan {
	shared := mode == types.NetworkModeAwsvpc
	if shared {
		mode = types.NetworkModeHost
	}
	var out []fleet.PortSpan
	for _, p := range hostPorts(mode, c) {
		out = append(out, p.Span())
	}
	for i := range c.PortMappings {
		m := &c.PortMappings[i]
		if m.ContainerPortRange == nil || !shared {
			continue
		}
		if s, ok := fleet.BoundPorts(&types.NetworkBinding{HostPortRange: m.ContainerPortRange, Protocol: m.Protocol}); ok {
			out = append(out, s)
		}
	}
	return out
}
