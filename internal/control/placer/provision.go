package placer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// Tasks of a capacity provider with managed scaling wait, PROVISIONING, until a
// host has room for them. One server, the leader, watches for that. When a change
// could make room, it checks whether waiting tasks fit now. It submits those that
// fit to its own placer.

// runProvisioner leads, or waits to lead, until ctx or the store ends.
func (p *Placer) runProvisioner(ctx context.Context) error {
	if err := p.store.Campaign(ctx, "provisioner", p.server, p.watchForRoom); ctx.Err() == nil {
		return err
	}
	return nil
}

// watchForRoom is the leader's loop. It decides by the state, never by what a change
// contains. So a lost change only delays it until the next one.
func (p *Placer) watchForRoom(ctx context.Context, term *store.Term) error {
	snap, feed := p.store.Follow()
	due := map[string]bool{}
	for cluster := range snap.Clusters("") {
		due[cluster] = snap.Counts(cluster).Waiting > 0
	}
	w := &provisioner{Placer: p, term: term}
	for {
		start := time.Now()
		tried := false
		for cluster, is := range due {
			if is {
				tried = true
				if err := w.placeWaiting(ctx, cluster); err != nil {
					return err
				}
			}
		}
		// At most half of the time is spent on tries in vain, even in a busy cluster.
		// Changes meanwhile arrive as one advance.
		if tried {
			if err := pace.Sleep(ctx, max(5*time.Millisecond, time.Since(start))); err != nil {
				return err
			}
		}
		a, err := w.nextAdvance(ctx, feed)
		if err != nil {
			return err
		}
		due = clustersWithRoom(a)
		w.addRetries(due)
	}
}

// provisioner is the work of one term.
type provisioner struct {
	*Placer
	term  *store.Term
	aside contain.Failures[waitingKey]
}

// waitingKey names a waiting task, or, if the id is empty, all waiting tasks of a
// cluster.
type waitingKey struct{ cluster, id string }

// nextAdvance waits for an advance, or until something that was set aside is to be
// tried again: then the advance is empty.
func (w *provisioner) nextAdvance(ctx context.Context, feed *store.Feed) (store.Advance, error) {
	at, some := w.aside.Next()
	if !some {
		return feed.Next(ctx)
	}
	until, cancel := context.WithDeadline(ctx, at)
	defer cancel()
	a, err := feed.Next(until)
	if err != nil && until.Err() != nil && ctx.Err() == nil {
		return store.Advance{}, nil
	}
	return a, err
}

// addRetries adds the clusters of tasks that were set aside and are to be tried again
// now.
func (w *provisioner) addRetries(due map[string]bool) {
	snap := w.store.Snapshot()
	w.aside.Retain(func(k waitingKey) bool {
		if k.id == "" {
			return snap.Counts(k.cluster).Waiting > 0
		}
		return snap.WaitingTask(k.cluster, k.id) != nil
	})
	for _, k := range w.aside.Due(time.Now()) {
		due[k.cluster] = true
	}
}

// setAside sets tasks aside after an error that concerns nothing else.
func (w *provisioner) setAside(k waitingKey, err error) {
	times, wait := w.aside.Add(k, time.Now())
	w.log.Error("provisioner: what waits for a host is set aside", append(contain.Attrs(err), "cluster", k.cluster, "task", k.id, "times", times, "retry_in", wait)...)
}

// clustersWithRoom returns the clusters with waiting tasks in which an advance may
// have made room.
func clustersWithRoom(a store.Advance) map[string]bool {
	due := map[string]bool{}
	for _, c := range a.Changes {
		if c.Kind == store.RestoredChanged {
			for name := range a.Next.Clusters("") {
				due[name] = a.Next.Counts(name).Waiting > 0
			}
			continue
		}
		if due[c.Names[0]] || a.Next.Counts(c.Names[0]).Waiting == 0 {
			continue
		}
		switch {
		case a.MayMakeRoom(c):
			due[c.Names[0]] = true
		case c.Kind == store.TaskChanged:
			was, is := a.Prev.Task(c.Names[0], c.Names[1]), a.Next.Task(c.Names[0], c.Names[1])
			ended := was != nil && was.Holds() && (is == nil || !is.Holds())
			// A task that began to wait just now was decided on by an older state.
			came := a.Prev.WaitingTask(c.Names[0], c.Names[1]) == nil && a.Next.WaitingTask(c.Names[0], c.Names[1]) != nil
			due[c.Names[0]] = ended || came
		}
	}
	return due
}

// placeWaiting submits a cluster's waiting tasks that fit now to the placer, the
// oldest first.
func (w *provisioner) placeWaiting(ctx context.Context, cluster string) error {
	all := waitingKey{cluster, ""}
	if w.aside.IsWaiting(all, time.Now()) {
		return nil
	}
	err := contain.Do(func() error { return w.placeGroups(ctx, cluster) })
	switch {
	case store.IsItemError(err):
		w.setAside(all, err)
		return nil
	case err == nil:
		w.aside.Forget(all)
	}
	return err
}

func (w *provisioner) placeGroups(ctx context.Context, cluster string) error {
	now := time.Now()
	for _, group := range groupByNeed(w.store.Snapshot(), cluster) {
		group = slices.DeleteFunc(group, func(t *fleet.Task) bool { return w.aside.IsWaiting(waitingKey{cluster, t.ID}, now) })
		for len(group) > 0 && w.hasRoom(group[0]) {
			some := group[:min(10, len(group))]
			group = group[len(some):]
			placed, err := w.submitTasks(ctx, cluster, some...)
			if store.IsItemError(err) {
				placed, err = w.submitOneByOne(ctx, cluster, some, err)
			}
			if err != nil {
				return err
			}
			if placed < len(some) {
				break
			}
		}
	}
	return nil
}

// hasRoom reports whether a host has room for a task. If that can't be decided
// because of an error, it sets the task aside.
func (w *provisioner) hasRoom(t *fleet.Task) (fits bool) {
	err := contain.Do(func() error { fits = w.fitsSomewhere(w.store.Snapshot(), t); return nil })
	if err != nil {
		w.setAside(waitingKey{t.Cluster, t.ID}, err)
	}
	return fits
}

// submitTasks submits tasks to the placer. It returns how many have a host now.
func (w *provisioner) submitTasks(ctx context.Context, cluster string, some ...*fleet.Task) (placed int, err error) {
	o := &waitingOrder{term: w.term, cluster: cluster}
	for _, t := range some {
		o.ids = append(o.ids, t.ID)
	}
	if err := w.submit(ctx, o); err != nil {
		return 0, fmt.Errorf("place what waits in %s: %w", cluster, err)
	}
	if len(o.placed) > 0 {
		w.log.Info("provisioner: placed tasks that waited", "cluster", cluster, "tasks", len(o.placed))
	}
	return len(o.placed), nil
}

// submitOneByOne submits tasks one by one, after an order of all of them failed with
// err. The task that fails alone is set aside and counts as placed, and the others go
// on.
func (w *provisioner) submitOneByOne(ctx context.Context, cluster string, some []*fleet.Task, err error) (placed int, _ error) {
	if len(some) == 1 {
		w.setAside(waitingKey{cluster, some[0].ID}, err)
		return 1, nil
	}
	for _, t := range some {
		n, err := w.submitTasks(ctx, cluster, t)
		if store.IsItemError(err) {
			n, err = w.submitOneByOne(ctx, cluster, []*fleet.Task{t}, err)
		}
		if err != nil {
			return placed, err
		}
		placed += n
	}
	return placed, nil
}

// groupByNeed groups the waiting tasks by what they need. Each group has its oldest
// task first, and the groups are ordered by their oldest task. If one task of a group
// does not fit, none does. A task that may have run since the backup from which the
// state was restored is left out.
func groupByNeed(snap *store.Snapshot, cluster string) [][]*fleet.Task {
	var all []*fleet.Task
	for t := range snap.WaitingTasks(cluster, "") {
		if !snap.Uncertain(cluster, t.ID) {
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b *fleet.Task) int {
		return cmp.Or(cmp.Compare(a.Queued, b.Queued), cmp.Compare(a.ID, b.ID))
	})
	var out [][]*fleet.Task
	at := map[string]int{}
	for _, t := range all {
		k := needsKey(t)
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], t)
	}
	return out
}

// needsKey returns a key that is equal for tasks that fit on the same hosts. It
// leaves the strategies out: they only choose among these hosts.
func needsKey(t *fleet.Task) string {
	overrides, err := awsjson.Marshal(t.Overrides)
	if err != nil {
		return t.ID // a group of its own
	}
	k := fmt.Sprintf("%s:%d %s %s %s", t.Family, t.Revision, t.CapacityProvider, t.Group, overrides)
	for _, c := range t.Constraints {
		k += fmt.Sprintf(" %s %q", c.Type, aws.ToString(c.Expression))
	}
	return k
}

// fitsSomewhere reports whether a host has room for a waiting task. It does not
// occupy the placer's goroutine.
func (p *Placer) fitsSomewhere(snap *store.Snapshot, t *fleet.Task) bool {
	d, _ := snap.TaskDefinition(t.Family, t.Revision)
	if d == nil {
		return false
	}
	r := p.newReader(snap)
	req, err := requestOf(t, d, 1)
	if err != nil {
		p.log.Warn("provisioner: a task that waits can't be placed", "cluster", t.Cluster, "task", t.ID, "err", err)
		return false
	}
	view := r.placementView(t.Cluster, r.candidates(t.Cluster, true), poolOf(d.Definition, t.CapacityProvider), t.Group)
	return slices.ContainsFunc(view.IDs, func(id string) bool { return req.Fit(view.Host(id)) == placement.Reason("") })
}
