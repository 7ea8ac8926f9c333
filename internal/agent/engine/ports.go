package engine

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/wire/acs"
)

// mappedPorts returns the container ports of a mapping: count ports, beginning at first.
func mappedPorts(m acs.PortMapping) (first, count int, err error) {
	if m.ContainerPortRange == "" {
		return m.ContainerPort, 1, nil
	}
	from, to, err := fleet.ParsePortRange(m.ContainerPortRange)
	if err != nil {
		return 0, 0, fmt.Errorf("containerPortRange: %w", err)
	}
	return int(from), int(to) - int(from) + 1, nil
}

func protocolOf(m acs.PortMapping) string { return cmp.Or(m.Protocol, "tcp") }

// ProbePort reports whether a port of this host can be bound right now.
func ProbePort(protocol string, port int) bool {
	address := ":" + strconv.Itoa(port)
	if protocol == "udp" {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return false
		}
		return c.Close() == nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// KernelPorts returns the host's range of ephemeral ports. If it can't be read, it returns
// Linux's default.
func KernelPorts() (low, high int) {
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		if f := strings.Fields(string(data)); len(f) == 2 {
			lo, err1 := strconv.Atoi(f[0])
			hi, err2 := strconv.Atoi(f[1])
			if err1 == nil && err2 == nil && lo < hi {
				return lo, hi
			}
		}
	}
	return 32768, 60999
}
