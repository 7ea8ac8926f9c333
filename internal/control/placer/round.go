package placer

import (
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// round is one run of the transaction's function: what it reads, and what it has
// decided so far.
type round struct {
	world
	decision
	tx     *store.Tx
	rand   *rand.Rand
	orders int // how many it has begun to place
}

func newRound(p *Placer, tx *store.Tx) *round {
	return &round{
		world:    world{site: p.site, snap: tx.Snapshot(), now: p.now(), hosts: p.hosts},
		decision: decision{usage: map[string]*fleet.Usage{}, groups: map[string][]string{}, waiting: map[string]int{}},
		tx:       tx, rand: p.rand,
	}
}

// newReader returns a round over a snapshot that places nothing. It has its own lists
// of hosts, so each goroutine can have one.
func (p *Placer) newReader(snap *store.Snapshot) *round {
	return &round{world: world{site: p.site, snap: snap, now: p.now(), hosts: map[string]*candidates{}}}
}

// place places one order. If that panics, the lists of hosts may be changed in part,
// so they are cleared.
func (r *round) place(o *pendingOrder) {
	finished := false
	defer func() {
		if !finished {
			clear(r.hosts)
		}
	}()
	o.reset()
	o.err = o.order.place(r)
	finished = true
}

// writeTask stores a task. If the task exists already, an earlier call with the same
// token created it, and the token's record has been deleted since: then it stays as
// it is.
func (r *round) writeTask(p *placed) error {
	t := &p.task
	if p.on.Instance == "" {
		t.Queued = r.snap.Revision()
		return store.Create(r.tx, store.WaitingTaskKey(t.Cluster, t.ID), t)
	}
	if err := r.tx.Claim(store.HostGuard(t.Cluster, p.on.Instance)); err != nil {
		return err
	}
	k := store.TaskKey(t.Cluster, t.ID)
	if store.Get(r.tx, k) != nil {
		return nil
	}
	t.Instance, t.Reserve, t.Constraints, t.Strategies, t.Queued = p.on.Instance, p.on.Reserve, nil, nil, 0
	return store.Put(r.tx, k, t)
}

// host returns a host as the round sees it: the snapshot, and what the round itself
// placed there.
func (r *round) host(cluster, id string) placement.Host {
	i := r.snap.Instance(cluster, id)
	if i == nil {
		return placement.Host{}
	}
	u, placed := r.usage[cluster+"/"+id]
	if !placed {
		u = r.snap.Usage(cluster, id)
	}
	h := hostOf(r.snap, i, r.groups[cluster+"/"+id])
	h.Usage = u
	return h
}

// placementView shows placement the hosts of a pool, and where the group's tasks are.
func (r *round) placementView(cluster string, c *candidates, p pool, group string) placement.View {
	return placement.View{
		IDs: c.inPool(&r.world, cluster, p),
		Host: func(id string) placement.Host {
			h := r.host(cluster, id)
			if h.Instance != nil && !p.contains(h.Instance) { // it belonged to the pool when the candidates were listed
				return placement.Host{}
			}
			return h
		},
		Tasks: r.tasksOf(cluster, group),
		Parts: func(attributes []string) *placement.Division { return c.divide(&r.world, cluster, p, attributes) },
	}
}

// tasksOf yields the host of each task of a group that is to run. Tasks that this
// round has placed are included.
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
