package placer

import (
	"fmt"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// maxWaiting is how many tasks of a cluster may wait for a host: ECS's quota of tasks
// in PROVISIONING.
const maxWaiting = 500

// waitingOrder is tasks that wait for a host and are to be placed if there is room
// now. Only the leader makes such orders.
type waitingOrder struct {
	term    *store.Term
	cluster string
	ids     []string
	placed  []string // those of ids that have a host now
}

func (o *waitingOrder) taskCount() int { return len(o.ids) }

func (o *waitingOrder) clientToken() string { return "" }

func (o *waitingOrder) hasCaller() bool { return false }

func (o *waitingOrder) reset() { o.placed = nil }

func (o *waitingOrder) String() string {
	return fmt.Sprintf("%d tasks that wait in %s", len(o.ids), o.cluster)
}

// place gives hosts to waiting tasks, as long as there is room. In one transaction it
// deletes the waiting record and creates the task under the same id.
func (o *waitingOrder) place(r *round) error {
	if err := o.term.Guard(r.tx); err != nil {
		return err
	}
	c, err := lookup.ClusterTx(r.tx, r.site, &o.cluster)
	if err != nil {
		return err
	}
	for _, id := range o.ids {
		k := store.WaitingTaskKey(c.Name, id)
		t := store.Get(r.tx, k)
		if t == nil {
			continue // stopped, or placed by an earlier leader
		}
		choice, err := r.chooseForWaiting(t)
		if err != nil {
			return err
		}
		if choice == nil {
			continue
		}
		r.reserve(r.snap, c.Name, id, t.Group, *choice)
		if err := store.Delete(r.tx, k); err != nil {
			return err
		}
		p := placed{*t, *choice}
		p.task.ID = id
		if err := r.writeTask(&p); err != nil {
			return err
		}
		o.placed = append(o.placed, id)
	}
	return nil
}

// chooseForWaiting returns a host for a waiting task, or nil if none has room.
func (r *round) chooseForWaiting(t *fleet.Task) (*placement.Choice, error) {
	d, _ := r.snap.TaskDefinition(t.Family, t.Revision)
	if d == nil {
		return nil, nil
	}
	req, err := requestOf(t, d, 1)
	if err != nil {
		return nil, err
	}
	view := r.placementView(t.Cluster, r.candidates(t.Cluster, true), poolOf(d.Definition, t.CapacityProvider), t.Group)
	res := placement.Place(view, req, r.rand, func(placement.Choice) {})
	if res.Missing > 0 {
		return nil, nil
	}
	return &res.Chosen[0], nil
}

// reserveWaiting counts n more tasks as waiting in this round. It returns an error if
// more than maxWaiting would wait.
func (r *round) reserveWaiting(cluster string, n int) error {
	if n == 0 {
		return nil
	}
	// Two servers may let tasks wait at once: the guard makes one of them count again.
	r.tx.Unchanged(store.WaitingTasks(cluster))
	if r.snap.Counts(cluster).Waiting+r.waiting[cluster]+n > maxWaiting {
		return refuse.Client("The cluster has reached the quota of %d tasks in the PROVISIONING state: run tasks there again when some have been placed or stopped.", maxWaiting)
	}
	r.waiting[cluster] += n
	return nil
}
