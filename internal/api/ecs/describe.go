package ecs

import (
	"time"

	"github.com/ashore/ashore/internal/control/describe"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// taskOut describes a task as ECS does.
func (s *Service) taskOut(snap *store.Snapshot, t *fleet.TaskState, tags bool) types.Task {
	v := snap.TaskView(t.Cluster, t.ID)
	v.Task = t // t need not come from the snapshot's table, such as a waiting task
	return describe.Task(s.site, v, tags)
}

// instanceFields are the optional members that a caller may ask for.
type instanceFields struct{ tags, health bool }

// instanceOut describes a container instance as ECS does.
func (s *Service) instanceOut(snap *store.Snapshot, i *fleet.Instance, fields instanceFields) types.ContainerInstance {
	v := snap.InstanceView(i.Cluster, i.ID)
	v.Instance = i
	return describe.Instance(s.site, v, describe.InstanceFields{Tags: fields.tags, Health: fields.health})
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
