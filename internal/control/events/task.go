package events

import (
	"github.com/ashore/ashore/internal/control/describe"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// taskEvent reports a change of a task as DescribeTasks shows it. Changes of what
// events do not show (tags, protection) make no event, and neither does the deletion
// of the task's record after its end.
func taskEvent(site fleet.Site, m *store.Moment) (Event, bool) {
	was, is := m.Was.Task, m.Is.Task
	if is == nil || was != nil && describe.TaskVersion(was) == describe.TaskVersion(is) {
		return Event{}, false
	}
	d := newDetail(describe.Task(site, m.Is, false)).without("tags", "inferenceAccelerators")
	if o, ok := d["overrides"].(detail); ok {
		d["overrides"] = o.without("inferenceAcceleratorOverrides")
	}
	d["updatedAt"] = m.At
	return newEvent(site, m, TaskStateChange, site.TaskARN(m.Names[0], m.Names[1]), "", d), true
}
