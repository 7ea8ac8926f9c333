package engine

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/ashore/ashore/internal/agent/dockerdoc"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Resources is what a host offers or a task needs.
type Resources struct {
	CPU    int64 // units
	Memory int64 // MiB
	TCP    []int // ports
	UDP    []int
}

type portKey struct {
	protocol string
	port     int
}

func (k portKey) String() string { return strconv.Itoa(k.port) + "/" + k.protocol }

// ledger records which resources of the host are reserved, and for which task. The server
// has a ledger too; this one only prevents harm from the server's mistakes. A task that
// does not fit never blocks another.
type ledger struct {
	total  Resources // constant
	lo, hi int       // range of the dynamic ports, constant
	probe  func(protocol string, port int) bool

	mu          sync.Mutex
	cpu, memory int64                // free
	ports       map[portKey]string   // owner of each reserved port
	reserved    map[string]Resources // by task ARN
}

const reservedOwner = "(reserved)"

func newLedger(total, reserved Resources, lo, hi int, probe func(string, int) bool) *ledger {
	l := &ledger{
		total: total, lo: lo, hi: hi, probe: probe,
		cpu: total.CPU, memory: total.Memory,
		ports: map[portKey]string{}, reserved: map[string]Resources{},
	}
	for _, k := range portKeys(reserved) {
		l.ports[k] = reservedOwner
	}
	return l
}

func portKeys(r Resources) []portKey {
	var out []portKey
	for _, p := range r.TCP {
		out = append(out, portKey{"tcp", p})
	}
	for _, p := range r.UDP {
		out = append(out, portKey{"udp", p})
	}
	return out
}

// requiredResources returns what a task uses while it lives.
func requiredResources(t *acs.Task) Resources {
	var r Resources
	r.CPU, r.Memory = int64(t.CPU*1024), t.Memory
	for _, c := range t.Containers {
		if t.CPU == 0 {
			r.CPU += c.CPU
		}
		if t.Memory == 0 {
			r.Memory += containerMemory(c)
		}
		for _, p := range c.PortMappings {
			if p.HostPort == 0 {
				continue
			}
			if p.Protocol == "udp" {
				r.UDP = append(r.UDP, p.HostPort)
			} else {
				r.TCP = append(r.TCP, p.HostPort)
			}
		}
	}
	return r
}

// containerMemory returns the memory in MiB that a container counts with: its soft limit
// if it has one, else its hard limit.
func containerMemory(c acs.Container) int64 {
	if c.DockerConfig != nil {
		if soft := dockerdoc.MemoryReservation(c.DockerConfig.HostConfig); soft > 0 {
			return soft >> 20
		}
	}
	return c.Memory
}

// whyImpossible returns why a task can't run on this host even without other tasks. It
// returns "" if it can.
func (l *ledger) whyImpossible(r Resources) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.CPU > l.total.CPU:
		return fmt.Sprintf("the task needs %d CPU units, the container instance has %d", r.CPU, l.total.CPU)
	case r.Memory > l.total.Memory:
		return fmt.Sprintf("the task needs %d MiB of memory, the container instance has %d", r.Memory, l.total.Memory)
	}
	for _, k := range portKeys(r) {
		if l.ports[k] == reservedOwner {
			return fmt.Sprintf("host port %s is reserved on the container instance", k)
		}
	}
	return ""
}

// reserve reserves what a task needs. It returns false if that is not free.
func (l *ledger) reserve(arn string, r Resources) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.CPU > l.cpu || r.Memory > l.memory {
		return false
	}
	for _, k := range portKeys(r) {
		if owner := l.ports[k]; owner != "" && owner != arn {
			return false
		}
	}
	l.reserveLocked(arn, r)
	return true
}

// reserveRunning reserves the resources of a task that runs already, free or not.
func (l *ledger) reserveRunning(arn string, r Resources) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reserveLocked(arn, r)
}

func (l *ledger) reserveLocked(arn string, r Resources) {
	if _, again := l.reserved[arn]; again {
		return
	}
	l.cpu -= r.CPU
	l.memory -= r.Memory
	l.reserved[arn] = r
	for _, k := range portKeys(r) {
		l.ports[k] = arn
	}
}

// reservePort reserves a dynamic port that a recovered task uses.
func (l *ledger) reservePort(arn, protocol string, port int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ports[portKey{protocol, port}] == "" {
		l.ports[portKey{protocol, port}] = arn
	}
}

// reserveFreePorts finds n consecutive free ports, reserves them for a task and returns
// the first. The search begins at a random port. So it seldom meets a port that was
// released a moment ago or that another process of the host uses.
func (l *ledger) reserveFreePorts(arn, protocol string, n int) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	span := l.hi - l.lo + 1 - (n - 1)
	if span < 1 {
		return 0, fmt.Errorf("no range of %d host ports", n)
	}
	start := rand.IntN(span)
next:
	for i := range span {
		first := l.lo + (start+i)%span
		for p := first; p < first+n; p++ {
			if l.ports[portKey{protocol, p}] != "" || (l.probe != nil && !l.probe(protocol, p)) {
				continue next
			}
		}
		for p := first; p < first+n; p++ {
			l.ports[portKey{protocol, p}] = arn
		}
		return first, nil
	}
	return 0, fmt.Errorf("no free host port between %d and %d", l.lo, l.hi)
}

// releasePort releases a dynamic port that could not be used.
func (l *ledger) releasePort(arn, protocol string, port int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := (portKey{protocol, port}); l.ports[k] == arn {
		delete(l.ports, k)
	}
}

// release releases everything that is reserved for a task.
func (l *ledger) release(arn string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.reserved[arn]; ok {
		l.cpu += r.CPU
		l.memory += r.Memory
		delete(l.reserved, arn)
	}
	for k, owner := range l.ports {
		if owner == arn {
			delete(l.ports, k)
		}
	}
}
