package engine

import (
	"cmp"
	"slices"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Binding is a run of consecutive ports of a container on its host. It has Count ports;
// Port is the first.
type Binding struct {
	runtime.Port
	Count int `json:"count,omitempty"` // 0: one port
}

// bindings returns a container's ports as ECS reports them, in the order of the mappings
// in its definition. A mapped range is one binding, or several if its ports are not
// consecutive on the host. Ports that belong to no mapping come last.
func bindings(d *acs.Container, ports []runtime.Port) []Binding {
	if len(ports) == 0 {
		return nil
	}
	ports = slices.Clone(ports)
	slices.SortFunc(ports, func(a, b runtime.Port) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.HostIP, b.HostIP),
			cmp.Compare(a.ContainerPort, b.ContainerPort), cmp.Compare(a.HostPort, b.HostPort))
	})
	m := mappingsOf(d)
	runs := make([][]Binding, len(m)+1)
	for _, p := range ports {
		i := m.find(p)
		run := runs[i]
		if n := len(run); n > 0 && i < len(m) && m[i].count > 1 && run[n-1].precedes(p) {
			run[n-1].Count = max(run[n-1].Count, 1) + 1
			continue
		}
		runs[i] = append(run, Binding{Port: p})
	}
	return slices.Concat(runs...)
}

// precedes reports whether p is the next port after the run, both in the container and on
// the host.
func (b Binding) precedes(p runtime.Port) bool {
	n := max(b.Count, 1)
	return b.Protocol == p.Protocol && b.HostIP == p.HostIP && b.ContainerPort+n == p.ContainerPort && b.HostPort+n == p.HostPort
}

// mappings are the port mappings of a container.
type mappings []struct {
	protocol     string
	first, count int // container ports
	host         int // 0 if the mapping names no host port
	found        int // for a mapping of one port: the host port found for it; 0: none yet
}

// mappingsOf returns the port mappings of a container's definition.
func mappingsOf(d *acs.Container) mappings {
	m := make(mappings, len(d.PortMappings))
	for i, mapping := range d.PortMappings {
		m[i].protocol, m[i].host = protocolOf(mapping), mapping.HostPort
		m[i].first, m[i].count, _ = mappedPorts(mapping) // a mapping that can't be parsed has no ports
	}
	return m
}

// find returns the index of the mapping that a port belongs to, or len(m) if there is
// none. A mapping that names the host port takes precedence.
func (m mappings) find(p runtime.Port) int {
	chosen := len(m)
	for i := range m {
		mapping := &m[i]
		if mapping.protocol != p.Protocol || p.ContainerPort < mapping.first || p.ContainerPort >= mapping.first+mapping.count {
			continue
		}
		if mapping.host != 0 && mapping.host == p.HostPort {
			return i
		}
		if mapping.host == 0 && chosen == len(m) && (mapping.count > 1 || mapping.found == 0 || mapping.found == p.HostPort) {
			chosen = i
		}
	}
	if chosen < len(m) {
		m[chosen].found = p.HostPort
	}
	return chosen
}
