package link

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

var errNoDefinition = errors.New("its task definition is not stored")

// sendManifest sends the list of tasks that should run on the instance. The agent answers
// with the tasks that it runs beyond the list.
func (x *session) sendManifest(ctx context.Context, snap *store.Snapshot) error {
	m := &acs.TaskManifestMessage{
		MessageID: x.newMessageID(), ClusterArn: x.clusterARN(), ContainerInstanceArn: x.instanceARN(),
		GeneratedAt: time.Now().UnixMilli(), Timeline: x.nextSequence(snap), Tasks: []acs.ManifestTask{},
	}
	for t := range snap.TasksOn(x.peer.cluster, x.peer.id) {
		if t.Holds() {
			m.Tasks = append(m.Tasks, acs.ManifestTask{TaskArn: x.taskARN(t.ID), TaskClusterArn: m.ClusterArn, DesiredStatus: string(t.Desired())})
		}
	}
	x.manifest = m.MessageID
	return x.sendMessage(ctx, m)
}

// verifyStops confirms the agent's stop candidates that must stop by the newest state. A
// candidate may have been placed after the manifest was written, and then it must not
// stop.
func (x *session) verifyStops(ctx context.Context, m *acs.TaskStopVerificationMessage) error {
	snap, err := x.readFresh(ctx)
	if err != nil {
		return err
	}
	var stop []acs.ManifestTask
	var unknown []acs.InventoryTask
	for _, c := range m.StopCandidates {
		if len(c.TaskArn) <= maxARN && isSpared(x.s.site, snap, x.peer, c.TaskArn) {
			unknown = append(unknown, acs.InventoryTask{TaskArn: c.TaskArn, DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning})
		} else if len(c.TaskArn) <= maxARN && mustStop(x.s.site, snap, x.peer, c.TaskArn) {
			stop = append(stop, acs.ManifestTask{TaskArn: c.TaskArn, TaskClusterArn: c.TaskClusterArn, DesiredStatus: acs.StatusStopped})
		}
	}
	if err := x.importTasks(ctx, unknown); err != nil {
		return err
	}
	if len(stop) == 0 {
		return nil
	}
	x.log.Info("link: stops confirmed", "tasks", len(stop))
	return x.sendMessage(ctx, &acs.TaskStopVerificationAck{MessageID: m.MessageID, GeneratedAt: time.Now().UnixMilli(), StopTasks: stop})
}

// mustStop reports whether a task that runs on the instance must stop: it should be
// STOPPED, it has ended, it belongs to another instance, or it is unknown. A task of
// another account or region is left alone.
func mustStop(site fleet.Site, snap *store.Snapshot, p peer, arn string) bool {
	cluster, id, ok := parseTaskARN(site, p, arn)
	if !ok {
		return false
	}
	t := snap.Task(cluster, id)
	if t == nil && store.Readable(snap, store.TaskKey(cluster, id)) != nil {
		return false // it is known, but not more
	}
	return cluster != p.cluster || t == nil || t.Instance != p.id || t.Desired() == fleet.TaskStopped
}

// isSpared reports whether an unknown task goes on running: after a restore, it may have
// been started since the backup.
func isSpared(site fleet.Site, snap *store.Snapshot, p peer, arn string) bool {
	if snap.Restored() == nil {
		return false
	}
	cluster, id, ok := parseTaskARN(site, p, arn)
	return ok && snap.Task(cluster, id) == nil
}

// parseTaskARN returns the cluster and the id in the long or short ARN of a task of this
// site.
func parseTaskARN(site fleet.Site, p peer, arn string) (cluster, id string, ok bool) {
	a, err := fleet.ParseARN(arn)
	if err != nil || !site.Owns(a) || a.Type != "task" {
		return "", "", false
	}
	if in, id, long := strings.Cut(a.Rest, "/"); long {
		return in, id, true
	}
	return p.cluster, a.Rest, true
}

// comparison is the result of comparing an inventory with the state.
type comparison struct {
	lost   map[string]string // task id → why its host no longer has it
	strays []string          // ARNs of tasks that run there and must not
}

// Reasons of tasks that their host no longer has.
const (
	reasonLost  = "The host lost the task: its agent neither runs nor remembers it."
	reasonEnded = "The task ended on its host, whose report of it is not known here any more."
)

// compareInventory compares an instance's inventory with the state. Only the host's own
// data ends a task: the host says that the task has ended; or the host reported the task
// before it connected, and now neither runs nor remembers it. snap must be newer than the
// inventory, and reported older.
func compareInventory(site fleet.Site, snap *store.Snapshot, p peer, inv *acs.InventoryMessage, reported map[string]struct{}) comparison {
	j := comparison{lost: map[string]string{}}
	listed := map[string]*acs.InventoryTask{}
	for i := range inv.Tasks {
		t := &inv.Tasks[i]
		if cluster, id, ok := parseTaskARN(site, p, t.TaskArn); ok && cluster == p.cluster {
			listed[id] = t
		}
		if len(t.TaskArn) <= maxARN && t.DesiredStatus != acs.StatusStopped && t.Status != acs.StatusStopped && mustStop(site, snap, p, t.TaskArn) &&
			!isSpared(site, snap, p, t.TaskArn) {
			j.strays = append(j.strays, t.TaskArn)
		}
	}
	ended := map[string]bool{}
	for _, b := range inv.Tombstones {
		if cluster, id, ok := parseTaskARN(site, p, b.TaskArn); ok && cluster == p.cluster {
			ended[id] = true
		}
	}
	for t := range snap.TasksOn(p.cluster, p.id) {
		if !t.Holds() {
			continue
		}
		_, wasReported := reported[t.ID]
		switch h := listed[t.ID]; {
		case h != nil && (h.Status != acs.StatusStopped || h.Unreported > 0):
			// It runs, or its end is about to be reported.
		case h != nil || ended[t.ID]:
			j.lost[t.ID] = reasonEnded
		case wasReported:
			j.lost[t.ID] = reasonLost
		case snap.Uncertain(t.Cluster, t.ID) && store.Readable(snap, store.RestoredKey()) == nil:
			j.lost[t.ID] = reasonUncertain
		}
	}
	return j
}

const (
	// maxStrays bounds how many tasks an agent is ordered to stop at once because it
	// should not run them. namedStrays bounds how many of them the log names.
	maxStrays, namedStrays = 10_000, 20
	// maxARN is longer than any task's ARN.
	maxARN = 1024
)

// reconcileInventory acts on the agent's inventory.
func (x *session) reconcileInventory(ctx context.Context, inv *acs.InventoryMessage) error {
	snap, err := x.readFresh(ctx)
	if err != nil {
		return err
	}
	if snap.Restored() != nil {
		if err := x.importTasks(ctx, inv.Tasks); err != nil {
			return err
		}
		snap = x.s.store.Snapshot()
	}
	j := compareInventory(x.s.site, snap, x.peer, inv, x.reported)
	now := time.Now()
	for i, arn := range j.strays {
		if len(x.strays.byTask) >= maxStrays {
			x.log.Warn("link: host runs more tasks that are not wanted there than it is told at once", "left", len(j.strays)-i)
			break // the next inventory has the others again
		}
		if i < namedStrays {
			x.log.Warn("link: host runs a task that is not wanted there", "task", fleet.ClipBytes(arn, maxARN))
		}
		x.strays.set(arn, acs.StatusStopped, now)
	}
	for id, reason := range j.lost {
		x.log.Warn("link: task settled by its host's inventory", "task", id, "reason", reason)
		err := endLostTask(ctx, x.s.store, x.peer, id, reason)
		if store.IsItemError(err) {
			x.log.Warn("link: a lost task is left as it is", "task", id, "err", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endLostTask records that a task is STOPPED which its host no longer has.
func endLostTask(ctx context.Context, st *store.Store, p peer, id, reason string) error {
	return updateStore(ctx, st, func(tx *store.Tx) error {
		t := tx.Snapshot().Task(p.cluster, id)
		if t == nil || t.Instance != p.id || !t.Holds() {
			return nil
		}
		if err := report.EndDeregistration(tx, t); err != nil {
			return err
		}
		return report.EndTask(tx, t, reason, time.Now().UTC().Truncate(time.Millisecond))
	})
}
