package ecs

import (
	"time"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
)

// candidates are a cluster's ACTIVE instances as of one revision. A choice is
// checked against the transaction's own snapshot, so an old list costs a probe,
// never a wrong placement; who finds no host looks at a new one.
type candidates struct {
	ids   []string
	pools map[pool][]string // those of ids that belong to a pool, once asked for
	rev   int64
	count int
	at    time.Time
}

const candidatesFor = time.Second

// candidates returns the cluster's ACTIVE instances, from memory unless now.
func (r *round) candidates(cluster string, now bool) *candidates {
	c := r.hosts[cluster]
	count := r.snap.Counts(cluster).Instances
	if c != nil && c.rev == r.snap.Revision() || c != nil && !now && c.count == count && r.now.Sub(c.at) < candidatesFor {
		return c
	}
	c = &candidates{pools: map[pool][]string{}, rev: r.snap.Revision(), count: count, at: r.now}
	for i := range r.snap.Instances(cluster, "") {
		if i.Status == fleet.InstanceActive {
			c.ids = append(c.ids, i.ID)
		}
	}
	r.hosts[cluster] = c
	return c
}

// of returns the candidates that belong to a pool.
func (c *candidates) of(r *round, cluster string, p pool) []string {
	if p == (pool{}) {
		return c.ids
	}
	ids, known := c.pools[p]
	if known {
		return ids
	}
	for _, id := range c.ids {
		if i := r.snap.Instance(cluster, id); i != nil && p.has(i) {
			ids = append(ids, id)
		}
	}
	c.pools[p] = ids
	return ids
}

// view shows placement a pool's hosts.
func (r *round) view(cluster string, c *candidates, p pool) placement.View {
	return placement.View{IDs: c.of(r, cluster, p), Host: func(id string) placement.Host {
		h := r.host(cluster, id)
		if h.Instance != nil && !p.has(h.Instance) { // it was when the candidates were listed
			return placement.Host{}
		}
		return h
	}}
}
