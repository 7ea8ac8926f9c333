package placement

import (
	"container/heap"
	"math/rand/v2"

	"github.com/ashore/ashore/internal/fleet"
)

// picker chooses hosts for the tasks of one request. It looks at as few hosts as
// the strategies allow: what it needs to know is worked out where it comes to
// matter, and a task changes nothing but its host's way up the tree.
type picker struct {
	v     View
	r     *Request
	plan  plan
	rnd   *rand.Rand
	tasks map[string]int // of the group, by host, with those of this request
	root  *node
	why   explanation // of the hosts that were looked at
	// stale says that a host that fitted has come to fit no more: why misses it.
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

// count finds out where the group's tasks are. Those of a host that takes no
// tasks count nowhere: they are on their way elsewhere.
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
			// It takes none of this request's tasks, but counts as far as it has
			// the values of hosts that do.
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
	level    int // its place in rank; -1: the root
	tasks    int // of the group on its hosts
	children children
	leaf     *leaf // nil: it has kids

	// best is the rank of its best host, or, until it is settled, something that
	// no host of it comes before.
	best      rank
	bestKnown bool
	chance    uint32 // decides between equals
}

func (p *picker) newNode(level int) *node { return &node{p: p, level: level, chance: p.rnd.Uint32()} }

// order makes a tree of what was counted.
func (n *node) initHeaps() {
	n.resetBest()
	for _, k := range n.children {
		k.initHeaps()
	}
	heap.Init(&n.children)
}

func (n *node) resetBest() {
	n.best, n.bestKnown = rank{}, false
	if n.level >= 0 {
		n.best[n.level] = n.tasks
	}
}

// settle finds the node's best host. It is false where none fits.
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

// pick returns the best host, or false where none fits.
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

// placed takes notice of a task on the host that was picked.
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

// kids is a heap, the best first.
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
