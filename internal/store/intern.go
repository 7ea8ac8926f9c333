package store

import (
	"strings"
	"unique"

	"github.com/ashore/ashore/internal/fleet"
)

// internStrings makes a task's record share the strings that many tasks have in common.
// With 100,000 tasks these strings are most of the memory.
func internStrings(key string, record any) {
	switch v := record.(type) {
	case *fleet.Task:
		if cluster, id, _ := strings.Cut(key, "/"); cluster == v.Cluster && id == v.ID {
			v.ID = id
		}
		intern(&v.Cluster, &v.Instance, &v.Family, &v.Group, &v.StartedBy)
		v.LaunchType = unique.Make(v.LaunchType).Value()
		for i := range v.Containers {
			intern(&v.Containers[i].Name)
		}
	case *fleet.TaskHealth:
		for i := range v.Containers {
			intern(&v.Containers[i].Name)
			v.Containers[i].Status = unique.Make(v.Containers[i].Status).Value()
		}
	case *fleet.TaskStop:
		intern(&v.Reason)
		v.Code = unique.Make(v.Code).Value()
	case *fleet.TaskReport:
		intern(&v.Reason)
		v.Status = unique.Make(v.Status).Value()
		v.StopCode = unique.Make(v.StopCode).Value()
		v.Connectivity = unique.Make(v.Connectivity).Value()
		for i := range v.Containers {
			c := &v.Containers[i]
			c.Status = unique.Make(c.Status).Value()
			intern(&c.Name, &c.Reason, &c.ImageDigest)
		}
	}
}

func intern(strings ...*string) {
	for _, s := range strings {
		if *s != "" {
			*s = unique.Make(*s).Value()
		}
	}
}
