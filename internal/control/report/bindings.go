package report

import (
	"fmt"
	"net/netip"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// bindingsOf returns those of a container's reported bindings that are stored, in
// their order: the well-formed ones, and not more than its definition can lead to.
func bindingsOf(d *fleet.TaskDefinition, container string, reported []types.NetworkBinding) []types.NetworkBinding {
	var kept []types.NetworkBinding
	most := mostBindings(d, container)
	for i := range reported {
		if len(kept) == most {
			break
		}
		if b, ok := cleanBinding(&reported[i]); ok {
			kept = append(kept, b)
		}
	}
	return kept
}

// spareBindings is how many bindings are stored in addition to those of the
// definition: an engine may bind more by its own settings.
const spareBindings = 8

// mostBindings returns how many bindings of a container are stored at most. Each
// mapping is bound for IPv4 and for IPv6, and a range possibly port by port.
func mostBindings(d *fleet.TaskDefinition, container string) int {
	if d == nil {
		return fleet.MaxSinglePorts
	}
	for i := range d.Definition.ContainerDefinitions {
		c := &d.Definition.ContainerDefinitions[i]
		if aws.ToString(c.Name) != container {
			continue
		}
		inRanges := 0
		for _, m := range c.PortMappings {
			if first, last, err := fleet.ParsePortRange(aws.ToString(m.ContainerPortRange)); err == nil {
				inRanges += int(last) - int(first) + 1
			}
		}
		return spareBindings + 2*len(c.PortMappings) + min(2*inRanges, fleet.MaxSinglePorts)
	}
	return spareBindings
}

// cleanBinding returns a binding with only its valid members. ok is false if the
// binding is not well formed.
func cleanBinding(reported *types.NetworkBinding) (b types.NetworkBinding, ok bool) {
	b.Protocol = reported.Protocol
	switch b.Protocol {
	case "", types.TransportProtocolTcp, types.TransportProtocolUdp:
	default:
		return b, false
	}
	if ip := aws.ToString(reported.BindIP); ip != "" {
		if _, err := netip.ParseAddr(ip); err != nil {
			return b, false
		}
		b.BindIP = reported.BindIP
	}
	for _, r := range []struct {
		from *string
		put  **string
	}{{reported.ContainerPortRange, &b.ContainerPortRange}, {reported.HostPortRange, &b.HostPortRange}} {
		if aws.ToString(r.from) == "" {
			continue
		}
		first, last, err := fleet.ParsePortRange(*r.from)
		if err != nil {
			return b, false
		}
		*r.put = aws.String(fmt.Sprintf("%d-%d", first, last))
	}
	for _, p := range []struct {
		from *int32
		put  **int32
	}{{reported.ContainerPort, &b.ContainerPort}, {reported.HostPort, &b.HostPort}} {
		switch n := aws.ToInt32(p.from); {
		case n < 0 || n > 65535:
			return b, false
		case n > 0 || p.from != nil && b.ContainerPortRange == nil: // beside a range, 0 means no port
			*p.put = p.from
		}
	}
	return b, true
}
