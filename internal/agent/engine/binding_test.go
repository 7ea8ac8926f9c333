package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

func TestBindingsAreThoseOfTheDefinition(t *testing.T) {
	one := func(container, host int) acs.PortMapping {
		return acs.PortMapping{ContainerPort: container, HostPort: host}
	}
	ranged := func(r, protocol string) acs.PortMapping {
		return acs.PortMapping{ContainerPortRange: r, Protocol: protocol}
	}
	for name, c := range map[string]struct {
		mappings []acs.PortMapping
		ports    string // as container:host/protocol@ip
		want     string
	}{
		"in the definition's order": {
			[]acs.PortMapping{one(443, 0), one(80, 0), one(22, 2222)}, "22:2222 80:32768 443:40000", "443:40000 80:32768 22:2222",
		},
		"a range is one": {
			[]acs.PortMapping{ranged("8000-8005", "udp"), one(80, 0)},
			"8003:40003/udp 8000:40000/udp 8005:40005/udp 8001:40001/udp 8004:40004/udp 8002:40002/udp 80:32768",
			"8000-8005:40000-40005/udp 80:32768",
		},
		"a range that is in pieces": {
			[]acs.PortMapping{ranged("1-5", "")}, "1:100 2:101 3:50 4:103 5:104", "1-2:100-101 3:50 4-5:103-104",
		},
		"single ports stay single, side by side or not": {
			[]acs.PortMapping{one(81, 0), one(80, 0)}, "80:100 81:101", "81:101 80:100",
		},
		"one port by several": {
			[]acs.PortMapping{one(80, 0), one(443, 0), one(80, 8080), one(80, 0)},
			"80:40001 80:8080 80:40000 443:40002", "80:40000 443:40002 80:8080 80:40001",
		},
		"protocols and addresses apart": {
			[]acs.PortMapping{ranged("5-6", "tcp"), ranged("5-6", "udp")},
			"6:16@127.0.0.1 5:15 5:15/udp 6:16 6:16/udp 5:15@127.0.0.1",
			"5-6:15-16 5-6:15-16@127.0.0.1 5-6:15-16/udp",
		},
		"what no mapping names comes last": {
			[]acs.PortMapping{one(80, 0), ranged("x", "")}, "9:9 80:100 10:10", "80:100 9:9 10:10",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var ports []runtime.Port
			for _, s := range strings.Fields(c.ports) {
				ports = append(ports, readPort(t, s))
			}
			for range 20 {
				var got []string
				for _, b := range bindings(&acs.Container{PortMappings: c.mappings}, shuffledPorts(ports)) {
					got = append(got, writeBinding(b))
				}
				if s := strings.Join(got, " "); s != c.want {
					t.Fatalf("%s, not %s", s, c.want)
				}
			}
		})
	}
}

func readPort(t *testing.T, s string) runtime.Port {
	t.Helper()
	p := runtime.Port{Protocol: "tcp"}
	s, p.HostIP, _ = strings.Cut(s, "@")
	if s, udp := strings.CutSuffix(s, "/udp"); udp {
		p.Protocol = "udp"
		if _, err := fmt.Sscanf(s, "%d:%d", &p.ContainerPort, &p.HostPort); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if _, err := fmt.Sscanf(s, "%d:%d", &p.ContainerPort, &p.HostPort); err != nil {
		t.Fatal(err)
	}
	return p
}

func writeBinding(b Binding) string {
	s := fmt.Sprintf("%d:%d", b.ContainerPort, b.HostPort)
	if b.Count > 1 {
		s = fmt.Sprintf("%d-%d:%d-%d", b.ContainerPort, b.ContainerPort+b.Count-1, b.HostPort, b.HostPort+b.Count-1)
	}
	if b.Protocol == "udp" {
		s += "/udp"
	}
	if b.HostIP != "" {
		s += "@" + b.HostIP
	}
	return s
}

func shuffledPorts(ports []runtime.Port) []runtime.Port {
	out := append([]runtime.Port(nil), ports...)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
