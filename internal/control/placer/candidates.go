package placer

import (
	"iter"
	"maps"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// candidates are a cluster's ACTIVE instances as of one revision. A choice is
// checked against the transaction's own snapshot, so an old list costs a probe,
// never a wrong placement; who finds no host looks at a new one.
type candidates struct {
	ids   []string
	pools map[pool][]string // those of ids that belong to a pool, once asked for
	parts map[division]*placement.Division
	rev   int64 // of the instances
	count int
	at    time.Time
}

// division is a pool's hosts told apart by attributes.
type division struct {
	pool
	attributes string
}

const candidatesFor = time.Second

// candidates returns the cluster's ACTIVE instances, from memory unless now.
func (r *round) candidates(cluster string, now bool) *candidates {
	c := r.hosts[cluster]
	count := r.snap.Counts(cluster).Instances
	if c != nil && c.rev == r.snap.InstancesRevision() || c != nil && !now && c.count == count && r.now.Sub(c.at) < candidatesFor {
		return c
	}
	c = &candidates{pools: map[pool][]string{}, parts: map[division]*placement.Division{}, rev: r.snap.InstancesRevision(), count: count, at: r.now}
	for i := range r.snap.Instances(cluster, "") {
		if i.Status == fleet.InstanceActive {
			c.ids = append(c.ids, i.ID)
		}
	}
	if r.hosts[cluster] == nil {
		r.forgetClusters()
	}
	r.hosts[cluster] = c
	return c
}

// forgetClusters leaves out the clusters that are no more.
func (r *round) forgetClusters() {
	maps.DeleteFunc(r.hosts, func(name string, _ *candidates) bool {
		c := r.snap.Cluster(name)
		return c == nil || c.Status != fleet.ClusterActive
	})
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

// divided returns the candidates of a pool, told apart by attributes.
func (c *candidates) divided(r *round, cluster string, p pool, attributes []string) *placement.Division {
	key := division{p, strings.Join(attributes, "\x00")}
	parts, known := c.parts[key]
	if !known {
		parts = placement.Divide(c.of(r, cluster, p), func(id string) placement.Host {
			return placement.Host{Instance: r.snap.Instance(cluster, id)}
		}, attributes)
		c.parts[key] = parts
	}
	return parts
}

// view shows placement a pool's hosts, and where tasks of the group are.
func (r *round) view(cluster string, c *candidates, p pool, group string) placement.View {
	return placement.View{
		IDs: c.of(r, cluster, p),
		Host: func(id string) placement.Host {
			h := r.host(cluster, id)
			if h.Instance != nil && !p.has(h.Instance) { // it was when the candidates were listed
				return placement.Host{}
			}
			return h
		},
		Tasks: r.tasksOf(cluster, group),
		Parts: func(attributes []string) *placement.Division { return c.divided(r, cluster, p, attributes) },
	}
}

// tasksOf yields the host of each task of a group that is to run, those that this
// round has placed too.
func (r *round) tasksOf(cluster, group string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for t := range r.snap.TasksWhere(cluster, store.TaskFilter{Desired: fleet.TaskRunning, Group: group}, "") {
			if !yield(t.Instance) {
				return
			}
		}
		for host, groups := range r.groups {
			id, here := strings.CutPrefix(host, cluster+"/")
			for _, g := range groups {
				if here && g == group && !yield(id) {
					return
				}
			}
		}
	}
}
