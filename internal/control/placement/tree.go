package placement

import (
	"container/heap"
	"math/rand/v2"

	"github.com/ashore/ashore/internal/fleet"
)

// picker chooses hosts for the tasks of one request. It inspects as few hosts as the
// strategies allow: it works something out only when it matters. A placed task
// changes only the nodes on the way from its host up to the root.
type picker struct {
	v     View
	r     *Request
	plan  plan
	rnd   *rand.Rand
	tasks map[string]int // number of the group's tasks by host, including those of this request
	root  *node
	why   explanation // explains the hosts that were inspected
	// stale is set if a host that fitted does not fit any more: why does not include
	// it.
	stale bool
}

func newPicker(v View, r *Request, rnd *rand.Rand) *picker {
	p := &picker{v: v, r: r, plan: newPlan(r.Strategies), rnd: rnd, why: explanation{r: r, hosts: map[Reason]int{}}}
	p.root = p.newNode(-1)
	if !p.plan.spreads() && len(p.plan.binpack) == 0 {
		p.root.leaf = &leaf{ids: v.IDs}
		return p
	}
	var parts *Division
	if v.Parts != nil && len(p.plan.attributes) > 0 {
		parts = v.Parts(p.plan.attributes)
	} else {
		parts = Divide(v.IDs, v.Host, p.plan.attributes)
	}
	leaves := make([]*node, len(parts.Parts))
	inner := map[string]*node{}
	for k, part := range parts.Parts {
		n := p.root
		for i, level := range p.plan.levels {
			key := joinValues(part.Values[:i+1])
			child := inner[key]
			if child == nil {
				child = p.newNode(level)
				inner[key] = child
				n.children = append(n.children, child)
				child.parent = n
			}
			n = child
		}
		n.leaf = &leaf{ids: part.IDs}
		leaves[k] = n
	}
	p.countTasks(parts, leaves, inner)
	p.root.initHeaps()
	return p
}

// countTasks counts the group's tasks in the tree. Tasks on a host that takes no new
// tasks do not count: they will move elsewhere.
func (p *picker) countTasks(parts *Division, leaves []*node, inner map[string]*node) {
	if !p.plan.spreads() || p.v.Tasks == nil {
		return
	}
	p.tasks = map[string]int{}
	for id := range p.v.Tasks {
		p.tasks[id]++
	}
	if len(p.plan.levels) == 0 {
		return
	}
	for id, n := range p.tasks {
		var at *node
		if k, known := parts.partOf[id]; known {
			at = leaves[k]
		} else if h := p.v.Host(id); h.Instance != nil && h.Instance.Status == fleet.InstanceActive {
			// The host takes none of this request's tasks. Its tasks count in the nodes
			// whose values it shares with hosts that do.
			values := attributeValues(h, p.plan.attributes)
			for k := len(values); k > 0 && at == nil; k-- {
				at = inner[joinValues(values[:k])]
			}
		}
		for ; at != nil; at = at.parent {
			at.tasks += n
		}
	}
}

// node is a value of an attribute, or the root.
type node struct {
	p        *picker
	parent   *node
	level    int // its index in rank; -1: the root
	tasks    int // number of the group's tasks on its hosts
	children children
	leaf     *leaf // nil: it has children

	// best is the rank of the node's best host. Until bestKnown is set, it is a lower
	// bound: no host of the node ranks before it.
	best      rank
	bestKnown bool
	chance    uint32 // decides between equals
}

func (p *picker) newNode(level int) *node { return &node{p: p, level: level, chance: p.rnd.Uint32()} }

// initHeaps makes heaps of the children, after the tasks were counted.
func (n *node) initHeaps() {
	n.resetBest()
	for _, k := range n.children {
		k.initHeaps()
	}
	heap.Init(&n.children)
}

// resetBest sets best to its lower bound.
func (n *node) resetBest() {
	n.best, n.bestKnown = rank{}, false
	if n.level >= 0 {
		n.best[n.level] = n.tasks
	}
}

// findBest finds the node's best host. It returns false if no host fits.
func (n *node) findBest() bool {
	if n.bestKnown {
		return true
	}
	if n.leaf != nil {
		if !n.leaf.findBest(n.p) {
			return false
		}
		n.best = n.leaf.rank
	} else {
		for {
			if len(n.children) == 0 {
				return false
			}
			first := n.children[0]
			if first.bestKnown {
				n.best = first.best
				break
			}
			if first.findBest() {
				heap.Fix(&n.children, 0)
			} else {
				heap.Pop(&n.children)
			}
		}
	}
	if n.level >= 0 {
		n.best[n.level] = n.tasks
	}
	n.bestKnown = true
	return true
}

// pickBest returns the best host, or false if no host fits.
func (p *picker) pickBest() (string, Host, bool) {
	if !p.root.findBest() {
		return "", Host{}, false
	}
	n := p.root
	for n.leaf == nil {
		n = n.children[0]
	}
	return n.leaf.id, n.leaf.host, true
}

// recordPlaced counts a task on the host that was picked last.
func (p *picker) recordPlaced() {
	n := p.root
	for n.leaf == nil {
		n = n.children[0]
	}
	if p.tasks != nil {
		p.tasks[n.leaf.id]++
	}
	n.leaf.id = ""
	for ; n != nil; n = n.parent {
		n.tasks++
		n.chance = p.rnd.Uint32()
		n.resetBest()
		if n.parent != nil {
			heap.Fix(&n.parent.children, 0)
		}
	}
}

// children is a heap with the best node first.
type children []*node

func (k children) Len() int      { return len(k) }
func (k children) Swap(i, j int) { k[i], k[j] = k[j], k[i] }
func (k children) Less(i, j int) bool {
	if d := k[i].best.compare(&k[j].best); d != 0 {
		return d < 0
	}
	return k[i].chance < k[j].chance
}
func (k *children) Push(x any) { *k = append(*k, x.(*node)) }
func (k *children) Pop() any {
	last := len(*k) - 1
	n := (*k)[last]
	*k = (*k)[:last]
	return n
}
