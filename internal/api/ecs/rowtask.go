package ecs

import (
	"cmp"
	"iter"
	"strings"

	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// taskView shows tasks as DescribeTasks does. It includes stopped tasks until the store
// forgets them.
func (s *Service) taskView() *rows.View {
	return &rows.View{
		Kind: "task",
		Scope: func(where map[string]string) (string, error) {
			return s.parseScope(where, "cluster", "service")
		},
		Keys: taskKeys,
		Scopes: func(snap *store.Snapshot, key string) []string {
			cluster, id, _ := strings.Cut(key, "/")
			t := lookup.Task(snap, cluster, id)
			switch {
			case t == nil:
				return nil
			case t.Service() == "":
				return []string{"", cluster}
			}
			return []string{"", cluster, cluster + "/" + t.Service()}
		},
		MayBeIn: mayBeInScope,
		Readable: func(snap *store.Snapshot, key string) error {
			cluster, id, _ := strings.Cut(key, "/")
			return cmp.Or(store.Readable(snap, store.TaskKey(cluster, id)), store.Readable(snap, store.WaitingTaskKey(cluster, id)))
		},
		Describe: func(snap *store.Snapshot, key string) (any, error) {
			cluster, id, _ := strings.Cut(key, "/")
			out := s.taskOut(snap, lookup.Task(snap, cluster, id), true)
			return &out, nil
		},
		Touches: map[store.ChangeKind]func(prev, next *store.Snapshot, names store.Names, touch func(string)){
			store.TaskChanged: func(_, _ *store.Snapshot, names store.Names, touch func(string)) { touch(names[0] + "/" + names[1]) },
			// A task shows where it runs, and whether its host is connected.
			store.InstanceChanged:       touchTasksOnHost,
			store.SessionChanged:        touchTasksOnHost,
			store.TaskDefinitionChanged: touchTasksOfDefinition,
		},
		Action: "ecs:DescribeTasks",
		Resource: func(key string) string {
			cluster, id, _ := strings.Cut(key, "/")
			return s.site.TaskARN(cluster, id)
		},
		Context: s.clusterContext,
	}
}

// taskKeys yields the tasks of a scope. It includes tasks that wait for a host.
func taskKeys(snap *store.Snapshot, scope string) iter.Seq[string] {
	return func(yield func(string) bool) {
		cluster, service, _ := strings.Cut(scope, "/")
		if cluster != "" {
			yieldTasks(snap, cluster, service, yield)
			return
		}
		for name := range snap.Clusters("") {
			if !yieldTasks(snap, name, "", yield) {
				return
			}
		}
	}
}

// yieldTasks yields a cluster's or a service's tasks. It reports whether yield wants
// more.
func yieldTasks(snap *store.Snapshot, cluster, service string, yield func(string) bool) bool {
	for w := range snap.WaitingTasks(cluster, "") {
		if (service == "" || w.Service() == service) && snap.Task(cluster, w.ID) == nil && !yield(cluster+"/"+w.ID) {
			return false
		}
	}
	if service == "" {
		for t := range snap.Tasks(cluster, "") {
			if !yield(cluster + "/" + t.ID) {
				return false
			}
		}
		return true
	}
	for _, desired := range []fleet.TaskStatus{fleet.TaskRunning, fleet.TaskStopped} {
		for t := range snap.TasksWhere(cluster, store.TaskFilter{Desired: desired, Service: service}, "") {
			if !yield(cluster + "/" + t.ID) {
				return false
			}
		}
	}
	return true
}

// touchTasksOnHost touches the tasks on the container instance of a record.
func touchTasksOnHost(_, next *store.Snapshot, names store.Names, touch func(string)) {
	for t := range next.TasksOn(names[0], names[1]) {
		touch(names[0] + "/" + t.ID)
	}
}

// touchTasksOfDefinition touches the tasks of a revision that was created or deleted. A
// task shows sizes and health checks of its revision.
func touchTasksOfDefinition(prev, next *store.Snapshot, names store.Names, touch func(string)) {
	revision := store.RevisionNumber(names[1])
	if prev != next {
		was, _ := prev.TaskDefinition(names[0], revision)
		is, _ := next.TaskDefinition(names[0], revision)
		if was == is {
			return
		}
	}
	for cluster := range next.Clusters("") {
		for _, desired := range []fleet.TaskStatus{fleet.TaskRunning, fleet.TaskStopped} {
			for t := range next.TasksWhere(cluster, store.TaskFilter{Desired: desired, Family: names[0]}, "") {
				if t.Revision == revision {
					touch(cluster + "/" + t.ID)
				}
			}
		}
		for w := range next.WaitingTasks(cluster, "") {
			if w.Family == names[0] && w.Revision == revision {
				touch(cluster + "/" + w.ID)
			}
		}
	}
}
