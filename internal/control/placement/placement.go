// Package placement chooses hosts for tasks. It is pure: a view of the hosts and a
// request go in; the chosen hosts come out, with the reasons if there were too few.
//
// Among the hosts that fit it chooses the best by the request's strategies, and at
// random where none of them decides. Where it can, it tries a few hosts at random
// before it inspects all of them. On a fleet with room these tries succeed, and a
// task costs the same on 5,000 hosts as on five. Strategies that rank hosts by what
// is free on them inspect every host once for a request. Each task of the request
// then costs the logarithm of the number of hosts.
package placement

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// Host is one candidate. Usage counts the tasks that were placed there, including
// those of the same round; nil means that the host is idle.
type Host struct {
	Instance  *fleet.Instance
	Usage     *fleet.Usage
	Connected bool
	Agent     string // its version
	// EngineAway: its agent can't reach its container engine.
	EngineAway bool
	// Groups yields the groups of the tasks that are to run there. Placement reads it
	// only where a constraint needs it; nil is none.
	Groups iter.Seq[string]
}

// View is what a decision is based on. IDs are the candidates. Host looks one up; it
// returns the zero Host for an id that does not exist any more.
type View struct {
	IDs  []string
	Host func(id string) Host
	// Tasks yields the host of each task of the request's group that is to run.
	// Placement reads it once, and only where a strategy spreads; nil is none.
	Tasks iter.Seq[string]
	// Parts returns Divide(IDs, Host, attributes), possibly from a cache: dividing
	// costs most where many requests see the same hosts. If it is nil, placement
	// divides the hosts itself.
	Parts func(attributes []string) *Division
}

// Request is what one task needs. All tasks of a request need the same.
type Request struct {
	Count      int
	Reserve    fleet.Reservation // without GPUs: placement chooses them
	GPUs       int
	Needs      []Need
	Strategies []Strategy // up to five; none is Random
	Constraints
}

// Reason is why a host can't take a task. The values are ECS's.
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

// reasonOrder ranks reasons by how far a host came in the checks. The host that came
// furthest explains best.
var reasonOrder = []Reason{Inactive, Agent, GPU, Memory, CPU, Ports, Attribute, MemberOf, Distinct}

// Choice is a host that was chosen for one task, with the task's reservation there.
type Choice struct {
	Instance string
	Reserve  fleet.Reservation
}

// Result is what Place decided. Missing is how many tasks found no host. If there are
// any, Rejected counts the hosts by reason, and Nearest is the host that came
// closest.
type Result struct {
	Chosen   []Choice
	Missing  int
	Rejected map[Reason]int
	Nearest  Rejection
}

// Rejection is why one host can't take a task, and what would help. Reason is the
// first reason that was found; Detail, Help and Lacks describe all of them.
type Rejection struct {
	Instance string
	Reason   Reason
	Detail   string
	Help     string
	Lacks    []Lack // set if the host does not meet more than one need
}

// Text returns Detail, Lacks and Help as one text.
func (n *Rejection) Text() string {
	return strings.TrimSpace(strings.Join(slices.DeleteFunc([]string{n.Detail, DescribeLacks(n.Lacks), n.Help}, func(s string) bool { return s == "" }), " "))
}

// probes is how many hosts are tried at random before all are inspected.
const probes = 8

// Place chooses a host for each task of r, the best one by its strategies at that
// moment. Place calls onChoice with each choice at once. From then on v.Host must
// include that task; v.Tasks need not.
func Place(v View, r Request, rnd *rand.Rand, onChoice func(Choice)) Result {
	var res Result
	p := newPicker(v, &r, rnd)
	for len(res.Chosen) < r.Count {
		id, h, ok := p.pickBest()
		if !ok {
			break
		}
		c := Choice{id, r.reserve(h)}
		onChoice(c)
		p.recordPlaced()
		res.Chosen = append(res.Chosen, c)
	}
	if res.Missing = r.Count - len(res.Chosen); res.Missing > 0 {
		if p.stale { // this request has changed the hosts since they were inspected
			p.why = explainAll(v, &r)
		}
		res.Rejected, res.Nearest = p.why.hosts, p.why.nearest(&r)
	}
	return res
}

// PlaceOn decides about one host that the caller names: StartTask. It returns either
// a choice or a rejection.
func PlaceOn(id string, h Host, r Request) (Choice, *Rejection) {
	if reason := r.Fit(h); reason != "" {
		n := r.rejection(id, h, reason)
		return Choice{}, &n
	}
	return Choice{id, r.reserve(h)}, nil
}

// Fit returns the first reason why a host can't take a task, in the order of the
// checks, or "" if it can.
func (r *Request) Fit(h Host) Reason {
	if h.Instance == nil || h.Instance.Status != fleet.InstanceActive {
		return Inactive
	}
	if !h.Connected || h.EngineAway {
		return Agent
	}
	for resource := range r.shortages(h) {
		return resource
	}
	// Last, because it costs most: agents have dozens of attributes.
	if !offersAll(h.Instance, r.Needs) {
		return Attribute
	}
	return r.unmetReason(h)
}

// shortages yields the resources of which a host has too little.
func (r *Request) shortages(h Host) iter.Seq[Reason] {
	return func(yield func(Reason) bool) {
		cpu, memory := h.Usage.Free(&h.Instance.Registered)
		switch {
		case r.GPUs > 0 && r.GPUs > len(freeGPUs(h)) && !yield(GPU),
			r.Reserve.Memory > memory && !yield(Memory),
			r.Reserve.CPU > cpu && !yield(CPU):
			return
		}
		for _, p := range r.Reserve.Ports {
			if _, held := h.Usage.PortHolder(&h.Instance.Registered, p); held {
				yield(Ports)
				return
			}
		}
	}
}

// otherReasons returns the further reasons against a host that is refused for one.
func (r *Request) otherReasons(h Host, reason Reason) []Reason {
	var out []Reason
	for other := range r.shortages(h) {
		if other != reason {
			out = append(out, other)
		}
	}
	if reason != Attribute && !offersAll(h.Instance, r.Needs) {
		out = append(out, Attribute)
	}
	if other := r.unmetReason(h); other != "" && reason != MemberOf && reason != Distinct {
		out = append(out, other)
	}
	return out
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
