package fleet

import (
	"cmp"
	"slices"
	"strconv"
)

// PortSpan is a run of consecutive ports of a host, including both ends.
type PortSpan struct {
	First, Last uint16
	Protocol    Protocol
}

// Span returns the port as a run of one port.
func (p Port) Span() PortSpan { return PortSpan{p.Number, p.Number, p.Protocol} }

func (s PortSpan) String() string {
	if s.First == s.Last {
		return Port{s.First, s.Protocol}.String()
	}
	return strconv.Itoa(int(s.First)) + "-" + strconv.Itoa(int(s.Last)) + "/" + string(s.Protocol)
}

// Compare orders spans by protocol, then by their first port.
func (s PortSpan) Compare(o PortSpan) int {
	return cmp.Or(cmp.Compare(s.Protocol, o.Protocol), cmp.Compare(s.First, o.First))
}

// before says whether s ends before o begins.
func (s PortSpan) before(o PortSpan) bool {
	if s.Protocol != o.Protocol {
		return s.Protocol < o.Protocol
	}
	return s.Last < o.First
}

// Common returns the ports that both runs have. ok is false if there are none.
func (s PortSpan) Common(o PortSpan) (both PortSpan, ok bool) {
	if s.before(o) || o.before(s) {
		return both, false
	}
	return PortSpan{max(s.First, o.First), min(s.Last, o.Last), s.Protocol}, true
}

// JoinSpans sorts spans in place and joins those that overlap or touch.
func JoinSpans(spans []PortSpan) []PortSpan {
	slices.SortFunc(spans, PortSpan.Compare)
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].Protocol == s.Protocol && int(s.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, s.Last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// PortHold is a run of ports and the id of the task that holds it. Fixed says that the
// task's definition names the ports. Otherwise the host has chosen them.
type PortHold struct {
	PortSpan
	Task  string
	Fixed bool
}

// PortHolders says which tasks hold which ports of a host. It is sorted and has no port
// twice. It is immutable: methods that change it return a new one. Its cost grows with
// the number of runs, not of ports.
type PortHolders []PortHold

// Of returns the task that holds a port. ok is false if no task holds it.
func (h PortHolders) Of(p Port) (task string, ok bool) {
	i, found := slices.BinarySearchFunc(h, p.Span(), func(x PortHold, s PortSpan) int {
		switch {
		case x.before(s):
			return -1
		case s.before(x.PortSpan):
			return 1
		}
		return 0
	})
	if !found {
		return "", false
	}
	return h[i].Task, true
}

// With returns the holders with a task added. If a port has several holders, the one
// with the lowest id is shown, in whatever order they came. double says that a port has
// several holders.
func (h PortHolders) With(held TaskPorts, task string) (next PortHolders, double bool) {
	if held.IsEmpty() {
		return h, false
	}
	return h.merge(held.holders(task))
}

// JoinHolders is With for many tasks at once. Each element of list has the ports of one
// task.
func JoinHolders(list []PortHolders) (all PortHolders, double bool) {
	switch len(list) {
	case 0:
		return nil, false
	case 1:
		return list[0], false
	}
	// Join halves, so that each run is copied only a logarithmic number of times.
	a, d1 := JoinHolders(list[:len(list)/2])
	b, d2 := JoinHolders(list[len(list)/2:])
	all, d3 := a.merge(b)
	return all, d1 || d2 || d3
}

// merge merges two sorted lists into a new one.
func (h PortHolders) merge(o PortHolders) (out PortHolders, double bool) {
	if len(h) == 0 {
		return o, false
	}
	if len(o) == 0 {
		return h, false
	}
	out = make(PortHolders, 0, len(h)+len(o))
	a, b := h[0], o[0] // what is left of the first runs
	h, o = h[1:], o[1:]
	moreA, moreB := true, true
	next := func(x *PortHold, list *PortHolders) bool {
		if len(*list) == 0 {
			return false
		}
		*x, *list = (*list)[0], (*list)[1:]
		return true
	}
	for moreA && moreB {
		switch {
		case a.before(b.PortSpan):
			out = out.appendHold(a)
			moreA = next(&a, &h)
			continue
		case b.before(a.PortSpan):
			out = out.appendHold(b)
			moreB = next(&b, &o)
			continue
		case a.First < b.First:
			out = out.appendHold(a.truncated(b.First - 1))
			a.First = b.First
		case b.First < a.First:
			out = out.appendHold(b.truncated(a.First - 1))
			b.First = a.First
		}
		last := min(a.Last, b.Last)
		double = double || a.Task != b.Task
		out = out.appendHold(pickHold(a, b).truncated(last))
		if a.First = last + 1; a.Last == last {
			moreA = next(&a, &h)
		}
		if b.First = last + 1; b.Last == last {
			moreB = next(&b, &o)
		}
	}
	for ; moreA; moreA = next(&a, &h) {
		out = out.appendHold(a)
	}
	for ; moreB; moreB = next(&b, &o) {
		out = out.appendHold(b)
	}
	return out, double
}

// pickHold returns the hold that is shown for ports that both have.
func pickHold(a, b PortHold) PortHold {
	if a.Task == b.Task {
		a.Fixed = a.Fixed || b.Fixed
		return a
	}
	if a.Task < b.Task {
		return a
	}
	return b
}

func (x PortHold) truncated(last uint16) PortHold {
	x.Last = last
	return x
}

// appendHold appends a run. It joins the run with the last one if it continues it.
func (h PortHolders) appendHold(x PortHold) PortHolders {
	if n := len(h); n > 0 {
		if l := &h[n-1]; l.Protocol == x.Protocol && l.Task == x.Task && l.Fixed == x.Fixed && int(x.First) == int(l.Last)+1 {
			l.Last = x.Last
			return h
		}
	}
	return append(h, x)
}

// Without returns the holders without a task's runs.
func (h PortHolders) Without(task string) PortHolders {
	if !slices.ContainsFunc(h, func(x PortHold) bool { return x.Task == task }) {
		return h
	}
	var next PortHolders
	for _, x := range h {
		if x.Task != task {
			next = append(next, x)
		}
	}
	return next
}

// TaskPorts are the ports that a task holds on its host. Fixed are the ports that its
// definition names. Chosen are the ports that its host reports. Both are sorted and
// joined.
type TaskPorts struct{ Fixed, Chosen []PortSpan }

// IsEmpty says whether there are no ports.
func (p TaskPorts) IsEmpty() bool { return len(p.Fixed)+len(p.Chosen) == 0 }

// Equal says whether both have the same ports.
func (p TaskPorts) Equal(o TaskPorts) bool {
	return slices.Equal(p.Fixed, o.Fixed) && slices.Equal(p.Chosen, o.Chosen)
}

// holders returns the ports with a task as their holder.
func (p TaskPorts) holders(task string) PortHolders {
	toHolds := func(spans []PortSpan, fixed bool) PortHolders {
		out := make(PortHolders, len(spans))
		for i, s := range spans {
			out[i] = PortHold{s, task, fixed}
		}
		return out
	}
	all, _ := toHolds(p.Chosen, false).merge(toHolds(p.Fixed, true))
	return all
}

// PortSpans returns the reserved ports.
func (r *Reservation) PortSpans() TaskPorts {
	if len(r.Ports) == 0 {
		return TaskPorts{}
	}
	fixed := make([]PortSpan, len(r.Ports))
	for i, p := range r.Ports {
		fixed[i] = p.Span()
	}
	return TaskPorts{Fixed: JoinSpans(fixed)}
}

// Fixed lists the ports that task definitions name, by protocol and number.
func (h PortHolders) Fixed() []Port {
	var out []Port
	for _, x := range h {
		for n := int(x.First); x.Fixed && n <= int(x.Last); n++ {
			out = append(out, Port{uint16(n), x.Protocol})
		}
	}
	return out
}
