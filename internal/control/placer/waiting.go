package placer

import (
	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// maxWaiting is how many tasks may wait for a host in a cluster: ECS's quota of
// tasks in PROVISIONING.
const maxWaiting = 500

// waiting are tasks that wait for a host, to be placed where there is room by
// now. Only the leader asks for that.
type waiting struct {
	term    *store.Term
	cluster string
	ids     []string
}

// weight counts for each task the record that waits, the one that it becomes
// and the host's guard; and what is read once.
func (w *waiting) weight() int { return 3*len(w.ids) + 3 }

// queue lets n more tasks wait, unless too many do.
func (r *round) queue(cluster string, n int) error {
	if n == 0 {
		return nil
	}
	// What two servers let wait at once is counted by only one of them.
	r.tx.Unchanged(store.WaitingTasks(cluster))
	if r.snap.Counts(cluster).Waiting+r.queued[cluster]+n > maxWaiting {
		return refuse.Client("The cluster has reached the quota of %d tasks in the PROVISIONING state: run tasks there again when some have been placed or stopped.", maxWaiting)
	}
	r.queued[cluster] += n
	return nil
}

// settle gives hosts to tasks that wait, as far as there is room: what waits
// goes, and the task comes, in one transaction and under the same id.
func (r *round) settle(o *order) error {
	w := o.waiting
	if err := w.term.Guard(r.tx); err != nil {
		return err
	}
	c, err := lookup.ClusterTx(r.tx, r.site, &w.cluster)
	if err != nil {
		return err
	}
	o.cluster = c.Name
	for _, id := range w.ids {
		k := store.WaitingTaskKey(c.Name, id)
		t := store.Get(r.tx, k)
		if t == nil {
			continue // stopped, or placed by an earlier leader
		}
		choice, err := r.roomFor(t)
		if err != nil {
			return err
		}
		if choice == nil {
			continue
		}
		r.reserve(c.Name, id, t.Group, *choice)
		if err := store.Delete(r.tx, k); err != nil {
			return err
		}
		if err := r.write(o, id, &placed{*t, *choice}); err != nil {
			return err
		}
	}
	return nil
}

// roomFor finds a host for a task that waits, or nil.
func (r *round) roomFor(t *fleet.Task) (*placement.Choice, error) {
	d, _ := r.snap.TaskDefinition(t.Family, t.Revision)
	if d == nil {
		return nil, nil
	}
	req, err := r.request(t, d, 1)
	if err != nil {
		return nil, err
	}
	view := r.view(t.Cluster, r.candidates(t.Cluster, true), poolOf(d.Definition, t.CapacityProvider), t.Group)
	res := placement.Place(view, req, r.rand, func(placement.Choice) {})
	if res.Missing > 0 {
		return nil, nil
	}
	return &res.Chosen[0], nil
}
