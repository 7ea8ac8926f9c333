package placement

// Kind is what a strategy does.
type Kind int

const (
	// Random takes any host; strategies behind it have nothing left to decide.
	Random Kind = iota
	// SpreadHosts takes the host with the fewest tasks of the group.
	SpreadHosts
	// SpreadAttribute takes the value of Strategy.Attribute whose hosts have the
	// fewest tasks of the group together. Hosts without it count as one value.
	SpreadAttribute
	// BinpackCPU and BinpackMemory take the host with the least left of it.
	BinpackCPU
	BinpackMemory
)

// Strategy ranks the hosts that fit. Of several, a later one decides where the
// earlier ones see no difference, and chance where none does. A spread behind
// another counts within the other's value: zone, then rack, counts the tasks of
// each rack of a zone.
type Strategy struct {
	Kind      Kind
	Attribute string
}

// maxStrategies is ECS's limit.
const maxStrategies = 5

// rank is a host's place by each strategy: the first difference decides, and
// less is better.
type rank [maxStrategies]int

func (a *rank) compare(b *rank) int {
	for i := range a {
		switch {
		case a[i] < b[i]:
			return -1
		case a[i] > b[i]:
			return 1
		}
	}
	return 0
}

// plan is a list of strategies, taken apart. Values of attributes divide the
// hosts once for all, so they make a tree; what differs from host to host ranks
// the hosts in its leaves.
type plan struct {
	attributes []string // of the spreads, in order
	levels     []int    // each one's place in the list of strategies
	spread     int      // the place of a spread over hosts; -1: none
	binpack    []pack
}

type pack struct {
	level int
	kind  Kind
}

func newPlan(strategies []Strategy) plan {
	p := plan{spread: -1}
	for i, s := range strategies {
		switch s.Kind {
		case Random:
			return p
		case SpreadHosts:
			if p.spread < 0 {
				p.spread = i
			}
		case SpreadAttribute:
			if p.spread < 0 { // within one host there is nothing to spread over
				p.attributes = append(p.attributes, s.Attribute)
				p.levels = append(p.levels, i)
			}
		default:
			p.binpack = append(p.binpack, pack{i, s.Kind})
		}
	}
	return p
}

// spreads says whether it matters where the group's tasks are.
func (p *plan) spreads() bool { return len(p.attributes) > 0 || p.spread >= 0 }

// of is how a host ranks within its leaf.
func (p *plan) rankOf(h *Host, tasks int) rank {
	var out rank
	if p.spread >= 0 {
		out[p.spread] = tasks
	}
	for _, b := range p.binpack {
		cpu, memory := h.Usage.Free(&h.Instance.Registered)
		if out[b.level] = memory; b.kind == BinpackCPU {
			out[b.level] = cpu
		}
	}
	return out
}
