package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

// A task's records lie together in tables.tasks.
var (
	tasks = registerIn[fleet.Task]("cluster/*/task/*",
		taskHolder(func(r *taskRow) (**fleet.Task, *int64) { return &r.state.Task, &r.taskMod }))
	taskStops = registerIn[fleet.TaskStop]("cluster/*/task/*/stop",
		taskHolder(func(r *taskRow) (**fleet.TaskStop, *int64) { return &r.state.Stop, &r.stopMod })).PartOf(TaskChanged)
	taskReports = registerIn[fleet.TaskReport]("cluster/*/task/*/report",
		taskHolder(func(r *taskRow) (**fleet.TaskReport, *int64) { return &r.state.Report, &r.reportMod })).PartOf(TaskChanged)
	taskAmendments = registerIn[fleet.TaskAmendment]("cluster/*/task/*/amendment",
		taskHolder(func(r *taskRow) (**fleet.TaskAmendment, *int64) { return &r.state.Amendment, &r.amendMod })).PartOf(TaskChanged)
	taskHealths = registerIn[fleet.TaskHealth]("cluster/*/task/*/health",
		taskHolder(func(r *taskRow) (**fleet.TaskHealth, *int64) { return &r.state.Health, &r.healthMod })).PartOf(TaskChanged)
)

// TaskChanged is the kind of changes of a task, with a host or waiting for one. Its
// names are the cluster and the task's id.
var TaskChanged = tasks.Changed()

// taskRow holds a task's records. A change replaces the row; it never changes a row.
type taskRow struct {
	state                                 fleet.TaskState
	taskMod, stopMod, reportMod, amendMod int64
	healthMod                             int64
}

// taskHolder returns the holder of one of a task's records. part selects the record in
// the row.
func taskHolder[V any](part func(*taskRow) (**V, *int64)) *holder {
	return &holder{
		key: joinNames, names: cutNames, apply: applyTask(part),
		get: func(t *tables, key string) (any, int64) {
			r, ok := t.tasks.Get(key)
			if !ok {
				return (*V)(nil), 0
			}
			v, mod := part(r)
			return *v, *mod
		},
		rows: func(t *tables) iter.Seq2[string, int64] {
			return func(yield func(string, int64) bool) {
				t.tasks.Scan(func(k string, r *taskRow) bool {
					_, mod := part(r)
					return *mod == 0 || yield(k, *mod)
				})
			}
		},
	}
}

// TaskKey names a task's immutable record.
func TaskKey(cluster, id string) Key[fleet.Task] { return tasks.Key(cluster, id) }

// TaskMembers is the prefix of the further records of a task.
func TaskMembers(cluster, id string) string { return tasks.Members(cluster, id) }

// TaskStopKey names the order to stop a task.
func TaskStopKey(cluster, id string) Key[fleet.TaskStop] { return taskStops.Key(cluster, id) }

// TaskReportKey names what a task's host has reported of it.
func TaskReportKey(cluster, id string) Key[fleet.TaskReport] { return taskReports.Key(cluster, id) }

// TaskAmendmentKey names the changes of a task since it was placed.
func TaskAmendmentKey(cluster, id string) Key[fleet.TaskAmendment] {
	return taskAmendments.Key(cluster, id)
}

// TaskHealthKey names the last known health of a task's containers.
func TaskHealthKey(cluster, id string) Key[fleet.TaskHealth] { return taskHealths.Key(cluster, id) }

// Task returns a task, or nil.
func (s *Snapshot) Task(cluster, id string) *fleet.TaskState {
	r, ok := tab(s).tasks.Get(cluster + "/" + id)
	if !ok || r.state.Task == nil {
		return nil
	}
	return &r.state
}

// Tasks yields a cluster's tasks by id. It begins after the id `after`.
func (s *Snapshot) Tasks(cluster, after string) iter.Seq[*fleet.TaskState] {
	prefix, first := cluster+"/", cluster+"/"+after
	return func(yield func(*fleet.TaskState) bool) { scanTasks(s, prefix, first, after != "", yield) }
}

// scanTasks yields the tasks whose table keys begin with prefix. It begins at the key
// first, or after it if behind is true. It is not inlined: see tab.
//
//go:noinline
func scanTasks(s *Snapshot, prefix, first string, behind bool, yield func(*fleet.TaskState) bool) {
	tab(s).tasks.Ascend(first, func(k string, r *taskRow) bool {
		if len(k) < len(prefix) || k[:len(prefix)] != prefix {
			return false
		}
		if r.state.Task == nil || (behind && k == first) {
			return true
		}
		return yield(&r.state)
	})
}

// TasksOn yields the tasks of an instance by id, including stopped ones.
func (s *Snapshot) TasksOn(cluster, instance string) iter.Seq[*fleet.TaskState] {
	return tasksByIndex(s, &tab(s).tasksByInstance, cluster, cluster+"/"+instance, "")
}

// LiveTasks yields a cluster's tasks whose desired status is RUNNING, by id. It begins
// after the id `after`.
func (s *Snapshot) LiveTasks(cluster, after string) iter.Seq[*fleet.TaskState] {
	return s.TasksWhere(cluster, TaskFilter{Desired: fleet.TaskRunning}, after)
}

func tasksByIndex(s *Snapshot, index *set, cluster, value, after string) iter.Seq[*fleet.TaskState] {
	return func(yield func(*fleet.TaskState) bool) {
		for id := range index.of(value, after) {
			if t := s.Task(cluster, id); t != nil && !yield(t) {
				return
			}
		}
	}
}

// Reported returns the revision at which a task's report was last written, 0 if there
// is none. It gives the order in which tasks ended, whatever the hosts' clocks say.
func (s *Snapshot) Reported(cluster, id string) int64 {
	r, ok := tab(s).tasks.Get(cluster + "/" + id)
	if !ok {
		return 0
	}
	return r.reportMod
}
