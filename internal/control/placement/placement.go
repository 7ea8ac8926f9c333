// Package placement chooses hosts for tasks. It is pure: a view of the hosts and
// a request go in, the chosen hosts come out, with the reasons where there were
// too few.
//
// Among fitting hosts it chooses the best by the request's strategies, and at
// random where none of them decides. Where it can, it probes a few hosts before
// it looks at all of them: on a fleet with room the first probes hit, and a task
// costs the same on 5,000 hosts as on five. Strategies that rank hosts by what is
// left on them look at every host once for a request; each of its tasks then
// costs the logarithm of that.
package placement

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// Host is one candidate. Usage counts what was placed there, in the same round
// too; nil is an idle host.
type Host struct {
	Instance  *fleet.Instance
	Usage     *fleet.Usage
	Connected bool
	Agent     string // its version
	// EngineAway: its agent does not reach its container engine.
	EngineAway bool
	// Groups are those of the tasks that are to run there. It is asked only
	// where a constraint needs it; nil is none.
	Groups iter.Seq[string]
}

// View is what a decision rests on. IDs are the candidates; Host looks one up
// and returns the zero Host for an id that is gone.
type View struct {
	IDs  []string
	Host func(id string) Host
	// Tasks yields the host of each task of the request's group that is to run.
	// It is asked once, and only where a strategy spreads; nil is none.
	Tasks iter.Seq[string]
	// Parts returns Divide(IDs, Host, attributes), from memory perhaps: it costs
	// most where many requests see the same hosts. Nil: it is worked out.
	Parts func(attributes []string) *Division
}

// Request is what one task needs. All tasks of a request need the same.
type Request struct {
	Count      int
	Reserve    fleet.Reservation // its GPUs are chosen here, by number
	GPUs       int
	Needs      []Need
	Strategies []Strategy // up to five; none is Random
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
var reasonOrder = []Reason{Inactive, Agent, GPU, Memory, CPU, Ports, Attribute, MemberOf, Distinct}

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

// Rejection is why one host can't take a task, and what would help. Reason is
// the first that was found; the rest says all.
type Rejection struct {
	Instance string
	Reason   Reason
	Detail   string
	Help     string
	Lacks    []Lack // where it lacks more than one thing
}

// Text is all of it as one text.
func (n *Rejection) Text() string {
	return strings.TrimSpace(strings.Join(slices.DeleteFunc([]string{n.Detail, DescribeLacks(n.Lacks), n.Help}, func(s string) bool { return s == "" }), " "))
}

// probes bounds how many hosts are tried at random before all are looked at.
const probes = 8

// Place chooses a host for each task of r, each the best by its strategies at
// that moment. taken is told of each choice at once and must show it in what
// v.Host answers from then on; v.Tasks need not show it.
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
		if p.stale { // by this very request: the first look is out of date
			p.why = explainAll(v, &r)
		}
		res.Rejected, res.Nearest = p.why.hosts, p.why.nearest(&r)
	}
	return res
}

// On decides about one named host: StartTask.
func PlaceOn(id string, h Host, r Request) (Choice, *Rejection) {
	if reason := r.Fit(h); reason != "" {
		n := r.rejection(id, h, reason)
		return Choice{}, &n
	}
	return Choice{id, r.reserve(h)}, nil
}

// Fit returns why a host can't take a task, or "" where it can: the first of all
// reasons, in their order.
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

// also are the further reasons against a host that is refused for one.
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
