package placement

// Kind is what a strategy does.
type Kind int

const (
	// Random takes any host; strategies behind it have nothing left to decide.
	Random Kind = iota
	// SpreadHosts takes the host with the fewest tasks of the group.
	SpreadHosts
	// SpreadAttribute takes a host with the value of Strategy.Attribute whose hosts
	// have the fewest tasks of the group together. Hosts without the attribute count
	// as one value.
	SpreadAttribute
	// BinpackCPU and BinpackMemory take the host with the least of it free.
	BinpackCPU
	BinpackMemory
)

// Strategy ranks the hosts that fit. Of several strategies, a later one decides
// between hosts that are equal for the earlier ones; chance decides between hosts
// that are equal for all. A spread behind another one counts within the other's
// value: zone, then rack, counts the tasks of each rack of a zone.
type Strategy struct {
	Kind      Kind
	Attribute string
}

// maxStrategies is ECS's limit.
const maxStrategies = 5

// rank is a host's rank by each strategy. The first difference decides, and less is
// better.
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

// plan is a list of strategies, split by kind. The values of attributes divide the
// hosts once for the whole request, so they make a tree. What differs from host to
// host ranks the hosts within the tree's leaves.
type plan struct {
	attributes []string // the attributes of the spreads, in order
	levels     []int    // the index of each of them in the list of strategies
	spread     int      // the index of a spread over hosts; -1: none
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

// spreads reports whether it matters where the group's tasks are.
func (p *plan) spreads() bool { return len(p.attributes) > 0 || p.spread >= 0 }

// rankOf returns a host's rank within its leaf. tasks is how many tasks of the group
// it has.
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
