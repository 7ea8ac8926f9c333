package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// explanation counts refused hosts by reason and remembers the closest.
type explanation struct {
	r      *Request
	hosts  map[Reason]int
	id     string
	reason Reason
	host   Host
	lacks  int // how many needs the closest host does not meet, if it lacks attributes
}

// Survey is whether each of the hosts could take a task.
type Survey struct {
	Room     int // number of hosts that could take the task
	Rejected map[Reason]int
	Nearest  Rejection // the closest of the hosts that could not
}

// SurveyHosts checks for every host whether it could take a task of r.
func SurveyHosts(v View, r Request) Survey {
	why := explainAll(v, &r)
	out := Survey{Room: len(v.IDs), Rejected: why.hosts, Nearest: why.nearest(&r)}
	for _, n := range why.hosts {
		out.Room -= n
	}
	return out
}

// Reasons returns all reasons against a host, ordered from the one that is farthest
// from a fit to the one that is closest.
func Reasons() []Reason { return slices.Clone(reasonOrder) }

// explainAll inspects every host once.
func explainAll(v View, r *Request) explanation {
	why := explanation{r: r, hosts: map[Reason]int{}}
	for _, id := range v.IDs {
		h := v.Host(id)
		if reason := r.Fit(h); reason != "" {
			why.add(id, h, reason)
		}
	}
	return why
}

func (e *explanation) add(id string, h Host, reason Reason) {
	e.hosts[reason]++
	lacks := 0
	if reason == Attribute {
		lacks = len(Lacks(e.r.Needs, h.Instance))
	}
	if e.id == "" || isCloser(reason, h, e.reason, e.host) || reason == Attribute && e.reason == Attribute && lacks < e.lacks {
		e.id, e.reason, e.host, e.lacks = id, reason, h, lacks
	}
}

func (e *explanation) nearest(r *Request) Rejection {
	if e.id == "" {
		return Rejection{}
	}
	n := r.rejection(e.id, e.host, e.reason)
	total := 0
	for _, k := range e.hosts {
		total += k
	}
	if total > 1 {
		n.Detail += fmt.Sprintf(" This is the closest of %d container instances (%s).", total, summary(e.hosts))
	}
	return n
}

// rejection describes everything that keeps a task off a host.
func (r *Request) rejection(id string, h Host, reason Reason) Rejection {
	n := Rejection{Instance: id, Reason: reason, Detail: r.detail(h, reason), Help: r.help(h, reason)}
	reasons := []Reason{reason}
	if h.Instance != nil {
		reasons = append(reasons, r.otherReasons(h, reason)...)
	}
	for _, also := range reasons[1:] {
		n.Detail += " " + r.detail(h, also)
		n.Help = strings.TrimSpace(n.Help + " " + r.help(h, also))
	}
	if slices.Contains(reasons, Attribute) {
		if lacks := Lacks(r.Needs, h.Instance); len(lacks) > 1 {
			n.Lacks = lacks
		}
	}
	return n
}

// isCloser reports whether host a, refused for ra, came closer to a fit than host b,
// refused for rb.
func isCloser(ra Reason, a Host, rb Reason, b Host) bool {
	if ra != rb {
		return slices.Index(reasonOrder, ra) > slices.Index(reasonOrder, rb)
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

// detail describes what is missing on a host.
func (r *Request) detail(h Host, reason Reason) string {
	switch reason {
	case Inactive:
		if h.Instance == nil {
			return "The container instance is gone."
		}
		return fmt.Sprintf("The container instance is %s.", h.Instance.Status)
	case Agent:
		if h.Connected {
			return "The container instance's agent is connected, and its container engine does not answer it."
		}
		return "The container instance's agent is not connected."
	case MemberOf, Distinct:
		return r.Constraints.detail(h, reason)
	case Attribute:
		lacks := Lacks(r.Needs, h.Instance)
		if len(lacks) == 1 {
			return fmt.Sprintf("The task needs %s, which the container instance does not offer.", lacks[0].What)
		}
		return fmt.Sprintf("The task needs %d things that the container instance does not offer.", len(lacks))
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

// help describes what would make room on a host that can't take a task.
func (r *Request) help(h Host, reason Reason) string {
	switch reason {
	case Inactive:
		if h.Instance != nil && h.Instance.Status == fleet.InstanceDraining {
			return "Set the container instance ACTIVE again, or add one."
		}
		return "Add a container instance."
	case Agent:
		if h.Connected {
			return "Start the container engine on the host, or add a container instance."
		}
		return "Start the agent on the host and see that it can reach the server, or add a container instance."
	case MemberOf:
		return "Change the expression or the container instance's attributes, or add a container instance that meets it."
	case Distinct:
		return "Add a container instance, or run fewer tasks of the group: each needs one of its own."
	case Attribute:
		if lacks := Lacks(r.Needs, h.Instance); len(lacks) == 1 {
			return lacks[0].Help
		}
		return "" // each lack has its own
	case GPU:
		return fmt.Sprintf("%d more GPUs must be free: stop tasks that hold some, or add a container instance with %d.", r.GPUs-len(freeGPUs(h)), r.GPUs)
	case Memory:
		_, free := h.Usage.Free(&h.Instance.Registered)
		return fmt.Sprintf("%d MiB of memory are missing: stop tasks there, lower the task's memory, or add a container instance.", r.Reserve.Memory-free)
	case CPU:
		free, _ := h.Usage.Free(&h.Instance.Registered)
		return fmt.Sprintf("%d CPU units are missing: stop tasks there, lower the task's cpu, or add a container instance.", r.Reserve.CPU-free)
	case Ports:
		for _, p := range r.Reserve.Ports {
			if task, held := h.Usage.PortHolder(&h.Instance.Registered, p); held && task == "" {
				return "Give the task another host port, or host port 0 for any that is free: the container instance keeps this one for itself."
			}
		}
		return "Stop the task that holds the port, add a container instance, or use host port 0, which takes any that is free."
	}
	return ""
}
