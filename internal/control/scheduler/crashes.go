package scheduler

import (
	"time"

	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// CrashesOf returns the crashes of a deployment, from the records of its newest tasks
// that still exist.
func CrashesOf(snap *store.Snapshot, d store.Deployment, now time.Time) rollout.Crashes {
	if d.State == nil || snap.DeploymentTasks(d.Cluster, d.ID).EndedEarly == 0 {
		return rollout.Crashes{} // this is so for nearly all deployments, and saves reading their tasks
	}
	return rollout.CrashesOf(func(yield func(rollout.LaunchedTask) bool) {
		for serial := d.State.Launched; serial > 0; serial-- {
			if !yield(launchedTask(snap, d.Cluster, fleet.ServiceTaskID(d.ID, serial), now)) {
				return
			}
		}
	}, now)
}

func launchedTask(snap *store.Snapshot, cluster, id string, now time.Time) rollout.LaunchedTask {
	t := snap.Task(cluster, id)
	if t == nil {
		if w := snap.WaitingTask(cluster, id); w != nil {
			return rollout.LaunchedTask{ID: id, CreatedAt: w.CreatedAt}
		}
		return rollout.LaunchedTask{ID: id, Outcome: rollout.Forgotten}
	}
	p := rollout.LaunchedTask{ID: id, Outcome: rollout.OutcomeOf(t, now), CreatedAt: t.CreatedAt, Instance: t.Instance}
	if t.Report != nil {
		p.StoppedAt = t.Report.StoppedAt
	}
	return p
}
