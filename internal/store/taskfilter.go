package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/tidwall/btree"
)

// TaskFilter selects tasks by their desired status, and by the further fields that are
// set.
type TaskFilter struct {
	Desired                     fleet.TaskStatus // RUNNING or STOPPED
	Instance, Family, StartedBy string
	Service                     string // shorthand for the service's Group
	Group                       string
	LaunchType                  types.LaunchType
}

// Selects says whether the filter selects a task.
func (f *TaskFilter) Selects(t *fleet.TaskState) bool {
	return t.Desired() == f.Desired && (f.Instance == "" || t.Instance == f.Instance) && (f.Family == "" || t.Family == f.Family) &&
		(f.StartedBy == "" || t.StartedBy == f.StartedBy) && (f.Service == "" || t.Service() == f.Service) && (f.Group == "" || t.Group == f.Group) && (f.LaunchType == "" || t.LaunchType == f.LaunchType)
}

func (f *TaskFilter) service() string {
	if f.Service == "" {
		return ""
	}
	return fleet.ServiceGroup(f.Service)
}

// keys yields the index keys that list the tasks which the filter selects.
func (f *TaskFilter) keys(cluster string) iter.Seq[string] {
	return func(yield func(string) bool) {
		all := cluster + "/" + string(f.Desired)
		if !yield(all) {
			return
		}
		for _, by := range [...]struct{ name, value string }{
			{"/family/", f.Family}, {"/starter/", f.StartedBy}, {"/type/", string(f.LaunchType)}, {"/group/", f.Group}, {"/group/", f.service()},
		} {
			if by.value != "" && !yield(all+by.name+by.value) {
				return
			}
		}
	}
}

// TasksWhere reads all tasks of a cluster if the shortest list has at least
// 1/scanFraction of them. A look-up of each task in the list costs more than a scan
// that skips the others.
const scanFraction = 16

// TasksWhere yields the tasks of a cluster that a filter selects, by id. It begins
// after the id `after`. It reads the shortest list that contains them all. If that list
// is a large part of the cluster's tasks, it reads all tasks of the cluster instead.
func (s *Snapshot) TasksWhere(cluster string, f TaskFilter, after string) iter.Seq[*fleet.TaskState] {
	return func(yield func(*fleet.TaskState) bool) { scanTasksWhere(s, cluster, f, after, yield) }
}

// scanTasksWhere is not inlined: see tab.
//
//go:noinline
func scanTasksWhere(s *Snapshot, cluster string, f TaskFilter, after string, yield func(*fleet.TaskState) bool) {
	var shortest *btree.Set[string]
	for key := range f.keys(cluster) {
		ids, ok := tab(s).tasksListed.Get(key)
		if !ok {
			return
		}
		if shortest == nil || ids.Len() < shortest.Len() {
			shortest = ids
		}
	}
	if f.Instance != "" {
		ids, ok := tab(s).tasksByInstance.Get(cluster + "/" + f.Instance)
		if !ok {
			return
		}
		if ids.Len() < shortest.Len() {
			shortest = ids
		}
	}
	c := s.Counts(cluster)
	if all := c.Pending - c.Waiting + c.Running + c.Stopped; shortest.Len()*scanFraction >= all {
		for t := range s.Tasks(cluster, after) {
			if f.Selects(t) && !yield(t) {
				return
			}
		}
		return
	}
	shortest.Ascend(after, func(id string) bool {
		t := s.Task(cluster, id)
		return id == after || t == nil || !f.Selects(t) || yield(t)
	})
}
