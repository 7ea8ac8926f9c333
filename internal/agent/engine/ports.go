package engine

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// portRange reads "a-b".
func portRange(s string) (first, count int, err error) {
	a, b, ok := strings.Cut(s, "-")
	lo, err1 := strconv.Atoi(a)
	hi, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || lo < 1 || hi < lo || hi > 65535 {
		return 0, 0, fmt.Errorf("container port range %q is not of the form first-last", s)
	}
	return lo, hi - lo + 1, nil
}

// ProbePort tells whether a port of this host can be bound right now.
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

// KernelPorts is the host's range of ephemeral ports, or Linux's own default.
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
