package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Protocol is the protocol of a port.
type Protocol string

const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Port is a host's port.
type Port struct {
	Number   uint16   `json:"number"`
	Protocol Protocol `json:"protocol"`
}

func (p Port) String() string { return strconv.Itoa(int(p.Number)) + "/" + string(p.Protocol) }

// Capacity is what a host offers: CPU in units (1024 a core), memory in MiB, the ports
// that it reserves for itself, and the ids of its GPUs.
type Capacity struct {
	CPU           int      `json:"cpu"`
	Memory        int      `json:"memory"`
	ReservedPorts []Port   `json:"reservedPorts,omitempty"`
	GPUs          []string `json:"gpus,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// Reservation is what a task reserves on its host, from its placement until the host
// reports it STOPPED. CPU is in units, memory in MiB.
type Reservation struct {
	CPU    int      `json:"cpu"`
	Memory int      `json:"memory"`
	Ports  []Port   `json:"ports,omitempty"` // fixed host ports
	GPUs   []string `json:"gpus,omitempty"`
}

// Usage is the sum of the reservations on one host. It is derived and never stored. The
// zero value is an idle host.
type Usage struct {
	CPU, Memory      int
	Pending, Running int
	// Holders are the holders of ports. GPUs maps a reserved GPU to the id of the task
	// that holds it. The map is copied before each change, because a Usage in a
	// snapshot never changes.
	Holders PortHolders
	GPUs    map[string]string
}

// Free returns how much of the capacity is not reserved.
func (u *Usage) Free(c *Capacity) (cpu, memory int) {
	if u == nil {
		return c.CPU, c.Memory
	}
	return c.CPU - u.CPU, c.Memory - u.Memory
}

// PortHolder returns the holder of a port: a task's id, or "" for the host itself. ok
// is false for a free port.
func (u *Usage) PortHolder(c *Capacity, p Port) (task string, ok bool) {
	if slices.Contains(c.ReservedPorts, p) {
		return "", true
	}
	if u == nil {
		return "", false
	}
	return u.Holders.Of(p)
}

// ParsePortRange parses "first-last" into its bounds. Control plane and agent both use
// it, so an agent can start what the control plane registers.
func ParsePortRange(s string) (from, to uint16, err error) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, fmt.Errorf("port range %q is not of the form first-last", s)
	}
	x, err1 := strconv.ParseUint(a, 10, 16)
	y, err2 := strconv.ParseUint(b, 10, 16)
	if err1 != nil || err2 != nil || x == 0 || x > y {
		return 0, 0, fmt.Errorf("port range %q is not of the form first-last", s)
	}
	return uint16(x), uint16(y), nil
}
