package scheduler

import (
	"github.com/ashore/ashore/internal/control/liveness"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// applyAdvance marks the services that an advance may concern.
func (l *leader) applyAdvance(a store.Advance) {
	l.snap = a.Next
	seen := map[store.Change]bool{}
	rooms, hosts := map[string]bool{}, map[string]bool{}
	for _, c := range a.Changes {
		if seen[c] {
			continue
		}
		seen[c] = true
		l.runContained(c, func() { l.markChanged(a, c, rooms, hosts) })
	}
	for cluster := range rooms {
		for w := range l.unplaced[cluster] {
			w.mayHaveRoom = true
			l.markDirty(w)
		}
	}
	for cluster := range hosts {
		for _, services := range [...]map[*work]bool{l.hostDependent[cluster], l.lossUnknown[cluster]} {
			for w := range services {
				l.markDirty(w)
			}
		}
	}
}

// markChanged marks the services that one change may concern. It adds to rooms the
// clusters in which the change may have made room, and to hosts those whose hosts it
// concerns.
func (l *leader) markChanged(a store.Advance, c store.Change, rooms, hosts map[string]bool) {
	switch c.Kind {
	case store.ServiceChanged:
		l.markDirty(l.workOf(c.Names[0], c.Names[1]))
	case store.TaskChanged:
		if l.markTask(a, c) {
			rooms[c.Names[0]] = true
		}
	case store.InstanceChanged, store.SessionChanged:
		rooms[c.Names[0]], hosts[c.Names[0]] = true, true
		l.observeHost(a.Next, c.Names[0], c.Names[1])
		for t := range a.Next.TasksOn(c.Names[0], c.Names[1]) {
			if s := t.Service(); s != "" && t.Holds() {
				l.markDirty(l.workOf(c.Names[0], s))
			}
		}
	case store.InstanceHealthChanged:
		if a.MayMakeRoom(c) {
			rooms[c.Names[0]] = true
		}
	case store.ClusterChanged:
		rooms[c.Names[0]] = true
		for s := range a.Next.Services(c.Names[0], "") {
			if s.Status != fleet.ServiceInactive {
				l.markDirty(l.workOf(c.Names[0], s.Name))
			}
		}
	case store.CapacityProviderChanged:
		for cluster := range l.unplaced {
			rooms[cluster] = true
		}
	}
}

// markTask marks the service of a task. It reports whether the task's end has made
// room.
func (l *leader) markTask(a store.Advance, c store.Change) bool {
	was, is := a.Prev.Task(c.Names[0], c.Names[1]), a.Next.Task(c.Names[0], c.Names[1])
	t := is
	switch {
	case t != nil:
	case was != nil:
		t = was
	default:
		w := a.Next.WaitingTask(c.Names[0], c.Names[1])
		if w == nil {
			w = a.Prev.WaitingTask(c.Names[0], c.Names[1])
		}
		if w == nil {
			return false
		}
		t = &fleet.TaskState{Task: w}
	}
	if s := t.Service(); s != "" {
		l.markDirty(l.workOf(c.Names[0], s))
	}
	if is != nil && is.Stop != nil && is.Stop.Lost {
		l.observeHost(a.Next, c.Names[0], is.Instance)
	}
	return was != nil && was.Holds() && (is == nil || !is.Holds())
}

// observeHost passes a host's presence to the tracker.
func (l *leader) observeHost(snap *store.Snapshot, cluster, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	i := snap.Instance(cluster, id)
	if i == nil || i.Status == fleet.InstanceInactive {
		l.tracker.Forget(now, cluster, id)
		return
	}
	l.tracker.Observe(now, cluster, id, presenceOf(snap, cluster, id))
}

func presenceOf(snap *store.Snapshot, cluster, id string) liveness.Presence {
	if snap.Session(cluster, id) != nil {
		return liveness.Present
	}
	for t := range snap.TasksOn(cluster, id) {
		if t.Stop != nil && t.Stop.Lost && t.Holds() {
			return liveness.Replaced
		}
	}
	return liveness.Away
}
