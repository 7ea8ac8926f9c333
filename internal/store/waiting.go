package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

var waitingTasks = registerIn[fleet.Task]("cluster/*/waiting/*", &holder{
	key: joinNames, names: cutNames, apply: applyWaiting,
	get:  func(t *tables, key string) (any, int64) { v, mod := t.waiting.get(key); return v, mod },
	rows: func(t *tables) iter.Seq2[string, int64] { return t.waiting.revisions },
}).PartOf(TaskChanged)

// WaitingTaskKey names a task that has no host yet. When the task gets a host, one
// transaction deletes this record and writes the TaskKey of the same id.
func WaitingTaskKey(cluster, id string) Key[fleet.Task] { return waitingTasks.Key(cluster, id) }

// WaitingTasks is the prefix of a cluster's tasks that have no host yet.
func WaitingTasks(cluster string) string { return waitingTasks.Prefix(cluster) }

// WaitingTask returns a task that has no host yet, or nil.
func (s *Snapshot) WaitingTask(cluster, id string) *fleet.Task {
	v, _ := tab(s).waiting.get(cluster + "/" + id)
	return v
}

// WaitingTasks yields a cluster's tasks without a host by id. It begins after the id
// `after`.
func (s *Snapshot) WaitingTasks(cluster, after string) iter.Seq[*fleet.Task] {
	if after != "" {
		after = cluster + "/" + after
	}
	return func(yield func(*fleet.Task) bool) { scanWaiting(s, cluster+"/", after, yield) }
}

// scanWaiting is not inlined: see tab.
//
//go:noinline
func scanWaiting(s *Snapshot, prefix, after string, yield func(*fleet.Task) bool) {
	for _, v := range tab(s).waiting.ascend(prefix, after) {
		if !yield(v) {
			return
		}
	}
}
