package engine

import (
	"cmp"
	"slices"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Binding is a run of a container's ports on its host: Count ports, of which Port
// is the first.
type Binding struct {
	runtime.Port
	Count int `json:"count,omitempty"` // 0: one port
}

// bindings are a container's ports in the order of its definition's mappings, as
// ECS reports them. A mapped range is one binding, or several where its ports are
// not side by side on the host. Ports of no mapping come last.
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

// precedes says whether p is the next port after the run's, on both sides.
func (b Binding) precedes(p runtime.Port) bool {
	n := max(b.Count, 1)
	return b.Protocol == p.Protocol && b.HostIP == p.HostIP && b.ContainerPort+n == p.ContainerPort && b.HostPort+n == p.HostPort
}

// mappings finds out which of a container's mappings a port comes from.
type mappings []struct {
	protocol     string
	first, count int // container ports
	host         int // of a mapping that names one
	found        int // the host port that a mapping of one port was found with; 0: none yet
}

func mappingsOf(d *acs.Container) mappings {
	m := make(mappings, len(d.PortMappings))
	for i, mapping := range d.PortMappings {
		m[i].protocol, m[i].host = protocolOf(mapping), mapping.HostPort
		m[i].first, m[i].count, _ = mappedPorts(mapping) // what can't be read maps nothing, and no port comes from it
	}
	return m
}

// find returns the mapping's index, or their number where the port comes from none.
// A mapping that names the host port goes first.
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
