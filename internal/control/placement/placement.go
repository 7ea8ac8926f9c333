// Package placement chooses hosts for tasks. It is pure: a view of the hosts and
// a request go in, the chosen hosts come out, with the reasons where there were
// too few.
//
// Among fitting hosts it chooses at random, as ECS does by default. It probes a
// few hosts before it looks at all of them: on a fleet with room the first
// probes hit, and a task costs the same on 5,000 hosts as on five.
package placement

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Host is one candidate. Usage counts what was placed there, in the same round
// too; nil is an idle host.
type Host struct {
	Instance  *fleet.Instance
	Usage     *fleet.Usage
	Connected bool
	Agent     string // its version
	// Groups are those of the tasks that are to run there. It is asked only
	// where a constraint needs it; nil is none.
	Groups iter.Seq[string]
}

// View is what a decision rests on. IDs are the candidates; Host looks one up
// and returns the zero Host for an id that is gone.
type View struct {
	IDs  []string
	Host func(id string) Host
}

// Request is what one task needs. All tasks of a request need the same.
type Request struct {
	Count      int
	Reserve    fleet.Reservation // its GPUs are chosen here, by number
	GPUs       int
	Attributes []types.Attribute
	Constraints
}

// Reason says why a host can't take a task. The values are ECS's.
type Reason string

const (
	Inactive  Reason = "INACTIVE"
	CPU       Reason = "RESOURCE:CPU"
	Memory    Reason = "RESOURCE:MEMORY"
	Ports     Reason = "RESOURCE:PORTS"
	GPU       Reason = "RESOURCE:GPU"
	Attribute Reason = "ATTRIBUTE"
	Agent     Reason = "AGENT"
)

// order ranks reasons by how far a host came: the checks' order. The host that
// came furthest explains best.
var order = []Reason{Inactive, Agent, GPU, Memory, CPU, Ports, Attribute, MemberOf, Distinct}

// Choice is a host chosen for one task, with what the task takes from it.
type Choice struct {
	Instance string
	Reserve  fleet.Reservation
}

// Result is what Place decided. Missing tasks found no host; then Rejected
// counts the hosts by reason, and Nearest is the host that came closest.
type Result struct {
	Chosen   []Choice
	Missing  int
	Rejected map[Reason]int
	Nearest  Rejection
}

// Rejection is why one host can't take a task.
type Rejection struct {
	Instance string
	Reason   Reason
	Detail   string
}

// probes bounds how many hosts are tried at random before all are looked at.
const probes = 8

// Place chooses a host for each task of r. taken is told of each choice at once
// and must show it in what v.Host answers from then on.
func Place(v View, r Request, rnd *rand.Rand, taken func(Choice)) Result {
	var res Result
	take := func(id string, h Host) {
		c := Choice{id, r.reserve(h)}
		taken(c)
		res.Chosen = append(res.Chosen, c)
	}
	var fitting []string // once all hosts were looked at; it only shrinks
	var why explanation
	for len(res.Chosen) < r.Count && why.hosts == nil {
		id, h, ok := probe(v, &r, rnd)
		if !ok {
			fitting, why = scan(v, &r)
			break
		}
		take(id, h)
	}
	shrunk := false
	for len(res.Chosen) < r.Count && len(fitting) > 0 {
		i := rnd.IntN(len(fitting))
		if h := v.Host(fitting[i]); r.Fit(h) == "" {
			take(fitting[i], h)
			continue
		}
		shrunk = true
		last := len(fitting) - 1
		fitting[i] = fitting[last]
		fitting = fitting[:last]
	}
	if res.Missing = r.Count - len(res.Chosen); res.Missing > 0 {
		if shrunk { // by this very request: the first look is out of date
			_, why = scan(v, &r)
		}
		res.Rejected, res.Nearest = why.hosts, why.nearest(&r)
	}
	return res
}

// probe tries a few hosts at random. On a small fleet it leaves the work to the
// scan, whose choice is as random.
func probe(v View, r *Request, rnd *rand.Rand) (string, Host, bool) {
	if len(v.IDs) <= probes {
		return "", Host{}, false
	}
	for range probes {
		id := v.IDs[rnd.IntN(len(v.IDs))]
		if h := v.Host(id); r.Fit(h) == "" {
			return id, h, true
		}
	}
	return "", Host{}, false
}

// On decides about one named host: StartTask.
func On(id string, h Host, r Request) (Choice, *Rejection) {
	if reason := r.Fit(h); reason != "" {
		return Choice{}, &Rejection{id, reason, r.detail(h, reason)}
	}
	return Choice{id, r.reserve(h)}, nil
}

// Fit returns why a host can't take a task, or "" where it can.
func (r *Request) Fit(h Host) Reason {
	if h.Instance == nil || h.Instance.Status != fleet.InstanceActive {
		return Inactive
	}
	if !h.Connected {
		return Agent
	}
	cpu, memory := h.Usage.Free(&h.Instance.Registered)
	switch {
	case r.GPUs > 0 && r.GPUs > len(freeGPUs(h)):
		return GPU
	case r.Reserve.Memory > memory:
		return Memory
	case r.Reserve.CPU > cpu:
		return CPU
	}
	for _, p := range r.Reserve.Ports {
		if _, held := h.Usage.PortHolder(&h.Instance.Registered, p); held {
			return Ports
		}
	}
	// Last, because it costs most: agents have dozens of attributes.
	if missingAttribute(h.Instance, r.Attributes) != nil {
		return Attribute
	}
	return r.unmet(h)
}

func missingAttribute(i *fleet.Instance, need []types.Attribute) *types.Attribute {
	for k := range need {
		v, has := i.Attribute(*need[k].Name)
		if !has || (need[k].Value != nil && *need[k].Value != v) {
			return &need[k]
		}
	}
	return nil
}

func freeGPUs(h Host) []string {
	var free []string
	for _, g := range h.Instance.Registered.GPUs {
		if h.Usage != nil {
			if _, held := h.Usage.GPUs[g]; held {
				continue
			}
		}
		free = append(free, g)
	}
	return free
}

func (r *Request) reserve(h Host) fleet.Reservation {
	out := r.Reserve
	if r.GPUs > 0 {
		out.GPUs = freeGPUs(h)[:r.GPUs]
	}
	return out
}

// explanation counts refused hosts by reason and keeps the closest.
type explanation struct {
	hosts  map[Reason]int
	id     string
	reason Reason
	host   Host
}

// scan looks at every host once: which fit, and why the others don't.
func scan(v View, r *Request) (fitting []string, why explanation) {
	why.hosts = map[Reason]int{}
	for _, id := range v.IDs {
		h := v.Host(id)
		reason := r.Fit(h)
		if reason == "" {
			fitting = append(fitting, id)
			continue
		}
		why.hosts[reason]++
		if why.id == "" || closer(reason, h, why.reason, why.host) {
			why.id, why.reason, why.host = id, reason, h
		}
	}
	return fitting, why
}

func (e *explanation) nearest(r *Request) Rejection {
	if e.id == "" {
		return Rejection{}
	}
	n := Rejection{e.id, e.reason, r.detail(e.host, e.reason)}
	total := 0
	for _, k := range e.hosts {
		total += k
	}
	if total > 1 {
		n.Detail += fmt.Sprintf(" This is the closest of %d container instances (%s).", total, summary(e.hosts))
	}
	return n
}

// closer says whether host a, refused for ra, came nearer than host b.
func closer(ra Reason, a Host, rb Reason, b Host) bool {
	if ra != rb {
		return slices.Index(order, ra) > slices.Index(order, rb)
	}
	switch ra {
	case Memory, CPU:
		ac, am := a.Usage.Free(&a.Instance.Registered)
		bc, bm := b.Usage.Free(&b.Instance.Registered)
		if ra == Memory {
			return am > bm
		}
		return ac > bc
	}
	return false
}

func summary(rejected map[Reason]int) string {
	var parts []string
	for reason, n := range rejected {
		parts = append(parts, fmt.Sprintf("%s %d", reason, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// detail names what was missing on a host.
func (r *Request) detail(h Host, reason Reason) string {
	switch reason {
	case Inactive:
		if h.Instance == nil {
			return "The container instance is gone."
		}
		return fmt.Sprintf("The container instance is %s.", h.Instance.Status)
	case Agent:
		return "The container instance's agent is not connected."
	case MemberOf, Distinct:
		return r.Constraints.detail(h, reason)
	case Attribute:
		a := missingAttribute(h.Instance, r.Attributes)
		if a.Value != nil {
			return fmt.Sprintf("The task needs the attribute %s=%s, which the container instance does not have.", *a.Name, *a.Value)
		}
		return fmt.Sprintf("The task needs the attribute %s, which the container instance does not have.", *a.Name)
	case GPU:
		return fmt.Sprintf("The task needs %d GPUs; %d of the container instance's %d are free.", r.GPUs, len(freeGPUs(h)), len(h.Instance.Registered.GPUs))
	case Memory:
		_, free := h.Usage.Free(&h.Instance.Registered)
		return fmt.Sprintf("The task needs %d MiB of memory; %d of the container instance's %d are free.", r.Reserve.Memory, free, h.Instance.Registered.Memory)
	case CPU:
		free, _ := h.Usage.Free(&h.Instance.Registered)
		return fmt.Sprintf("The task needs %d CPU units; %d of the container instance's %d are free.", r.Reserve.CPU, free, h.Instance.Registered.CPU)
	case Ports:
		var held []string
		for _, p := range r.Reserve.Ports {
			task, taken := h.Usage.PortHolder(&h.Instance.Registered, p)
			switch {
			case taken && task == "":
				held = append(held, fmt.Sprintf("host port %s is reserved by the container instance", p))
			case taken:
				held = append(held, fmt.Sprintf("host port %s is held by task %s", p, task))
			}
		}
		s := cmp.Or(strings.Join(held, "; "), "a host port is taken")
		return strings.ToUpper(s[:1]) + s[1:] + "."
	}
	return string(reason)
}
