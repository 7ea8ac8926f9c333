package placer

import (
	"maps"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
)

// candidates are a cluster's ACTIVE instances at one revision. A choice is checked
// against the transaction's own snapshot, so an old list costs a wasted try, never a
// wrong placement. A request that finds no host tries again with a new list.
type candidates struct {
	ids   []string
	pools map[pool][]string // by pool, the ids that belong to it; filled on demand
	parts map[division]*placement.Division
	rev   int64 // revision of the instances' records
	count int
	at    time.Time
}

// division is a pool's hosts divided by attributes.
type division struct {
	pool
	attributes string
}

// candidatesMaxAge is for how long a list is used although instances have changed.
const candidatesMaxAge = time.Second

// candidates returns the cluster's ACTIVE instances. Unless now is set it may return
// a list that is up to candidatesMaxAge old.
func (w *world) candidates(cluster string, now bool) *candidates {
	c := w.hosts[cluster]
	count := w.snap.Counts(cluster).Instances
	if c != nil && c.rev == w.snap.InstancesRevision() || c != nil && !now && c.count == count && w.now.Sub(c.at) < candidatesMaxAge {
		return c
	}
	c = &candidates{pools: map[pool][]string{}, parts: map[division]*placement.Division{}, rev: w.snap.InstancesRevision(), count: count, at: w.now}
	for i := range w.snap.Instances(cluster, "") {
		if i.Status == fleet.InstanceActive {
			c.ids = append(c.ids, i.ID)
		}
	}
	if w.hosts[cluster] == nil {
		w.forgetDeletedClusters()
	}
	w.hosts[cluster] = c
	return c
}

// forgetDeletedClusters removes the lists of clusters that do not exist any more.
func (w *world) forgetDeletedClusters() {
	maps.DeleteFunc(w.hosts, func(name string, _ *candidates) bool {
		c := w.snap.Cluster(name)
		return c == nil || c.Status != fleet.ClusterActive
	})
}

// inPool returns the candidates that belong to a pool.
func (c *candidates) inPool(w *world, cluster string, p pool) []string {
	if p == (pool{}) {
		return c.ids
	}
	ids, known := c.pools[p]
	if known {
		return ids
	}
	for _, id := range c.ids {
		if i := w.snap.Instance(cluster, id); i != nil && p.contains(i) {
			ids = append(ids, id)
		}
	}
	c.pools[p] = ids
	return ids
}

// divide returns the candidates of a pool, divided by attributes.
func (c *candidates) divide(w *world, cluster string, p pool, attributes []string) *placement.Division {
	key := division{p, strings.Join(attributes, "\x00")}
	parts, known := c.parts[key]
	if !known {
		parts = placement.Divide(c.inPool(w, cluster, p), func(id string) placement.Host {
			return placement.Host{Instance: w.snap.Instance(cluster, id)}
		}, attributes)
		c.parts[key] = parts
	}
	return parts
}
