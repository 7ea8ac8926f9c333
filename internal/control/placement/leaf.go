package placement

import "container/heap"

// leaf is hosts that no attribute tells apart.
type leaf struct {
	ids       []string // owned by the caller: read-only
	inspected bool     // every host was inspected; hosts and fitting are valid
	hosts     hosts    // the hosts that fit, ranked
	// fitting are the hosts that fit, where none is better than another. The list
	// only shrinks.
	fitting []string

	// The host that was found, if id is set.
	id   string
	host Host
	rank rank
}

// findBest finds the leaf's best host. It returns false if no host fits.
func (l *leaf) findBest(p *picker) bool {
	if l.id != "" {
		return true
	}
	if !l.inspected {
		if l.probeHosts(p) {
			return true
		}
		l.inspectHosts(p)
	}
	if len(p.plan.binpack) == 0 && p.plan.spread < 0 {
		return l.chooseRandom(p)
	}
	return l.chooseFirst(p)
}

// probeHosts tries a few hosts at random. It is used where a host can be known to be
// one of the best without inspecting the others. On a small fleet it does nothing:
// inspecting all hosts leads to a choice that is as random.
func (l *leaf) probeHosts(p *picker) bool {
	if len(l.ids) <= probes || len(p.plan.binpack) > 0 {
		return false
	}
	for range probes {
		id := l.ids[p.rnd.IntN(len(l.ids))]
		if p.plan.spread >= 0 && p.tasks[id] > 0 {
			continue
		}
		if h := p.v.Host(id); p.r.Fit(h) == "" {
			l.id, l.host, l.rank = id, h, rank{}
			return true
		}
	}
	return false
}

// inspectHosts inspects every host once. It collects those that fit, and why the
// others don't.
func (l *leaf) inspectHosts(p *picker) {
	l.inspected = true
	ranked := len(p.plan.binpack) > 0 || p.plan.spread >= 0
	for _, id := range l.ids {
		h := p.v.Host(id)
		if reason := p.r.Fit(h); reason != "" {
			p.why.add(id, h, reason)
			continue
		}
		if ranked {
			l.hosts = append(l.hosts, ranking{p.plan.rankOf(&h, p.tasks[id]), p.rnd.Uint32(), id})
		} else {
			l.fitting = append(l.fitting, id)
		}
	}
	heap.Init(&l.hosts)
}

// chooseRandom chooses a host that fits at random.
func (l *leaf) chooseRandom(p *picker) bool {
	for len(l.fitting) > 0 {
		i := p.rnd.IntN(len(l.fitting))
		if h := p.v.Host(l.fitting[i]); p.r.Fit(h) == "" {
			l.id, l.host = l.fitting[i], h
			return true
		}
		p.stale = true
		last := len(l.fitting) - 1
		l.fitting[i] = l.fitting[last]
		l.fitting = l.fitting[:last]
	}
	return false
}

// chooseFirst chooses the host that ranks first. Only the host that was chosen last
// can have changed since it was ranked, and it is still where it was in the heap.
func (l *leaf) chooseFirst(p *picker) bool {
	for len(l.hosts) > 0 {
		f := &l.hosts[0]
		h := p.v.Host(f.id)
		if p.r.Fit(h) != "" {
			p.stale = true
			heap.Pop(&l.hosts)
			continue
		}
		if now := p.plan.rankOf(&h, p.tasks[f.id]); now != f.rank {
			f.rank, f.chance = now, p.rnd.Uint32()
			heap.Fix(&l.hosts, 0)
			continue
		}
		l.id, l.host, l.rank = f.id, h, f.rank
		return true
	}
	return false
}

// ranking is a host that fits, with its rank.
type ranking struct {
	rank   rank
	chance uint32 // decides between equals
	id     string
}

// hosts is a heap with the best host first.
type hosts []ranking

func (h hosts) Len() int      { return len(h) }
func (h hosts) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h hosts) Less(i, j int) bool {
	if d := h[i].rank.compare(&h[j].rank); d != 0 {
		return d < 0
	}
	return h[i].chance < h[j].chance
}
func (h *hosts) Push(x any) { *h = append(*h, x.(ranking)) }
func (h *hosts) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
