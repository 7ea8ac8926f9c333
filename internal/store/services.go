package store

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// Service returns a service, or nil.
func (s *Snapshot) Service(cluster, name string) *fleet.Service {
	v, _ := tab(s).services.get(cluster + "/" + name)
	return v
}

// ServiceReadable returns an UnreadableError where a record of a service, its
// events left out, can't be read: what rests on its records does not hold then.
func (s *Snapshot) ServiceReadable(cluster, name string) error {
	if err := Readable(s, ServiceKey(cluster, name)); err != nil {
		return err
	}
	for u := range s.Unreadable(ServiceMembers(cluster, name)) {
		if !strings.HasPrefix(u.Key, ServiceMembers(cluster, name)+"event/") {
			return &UnreadableError{u}
		}
	}
	return nil
}

// Services yields a cluster's services by name, INACTIVE ones too, from the one
// after `after` on.
func (s *Snapshot) Services(cluster, after string) iter.Seq[*fleet.Service] {
	if after != "" {
		after = cluster + "/" + after
	}
	return values(tab(s).services.below(cluster+"/", after))
}

// ServiceState returns what the scheduler has made of a service, or nil where it
// has not looked at it yet.
func (s *Snapshot) ServiceState(cluster, name string) *fleet.ServiceState {
	v, _ := tab(s).serviceStates.get(cluster + "/" + name)
	return v
}

// ServiceRevision returns a revision of a service, or nil.
func (s *Snapshot) ServiceRevision(cluster, service, id string) *fleet.ServiceRevision {
	v, _ := tab(s).serviceRevisions.get(cluster + "/" + service + "/" + id)
	return v
}

// ServiceRevisions yields a service's revisions by id.
func (s *Snapshot) ServiceRevisions(cluster, service string) iter.Seq[*fleet.ServiceRevision] {
	return values(tab(s).serviceRevisions.below(cluster+"/"+service+"/", ""))
}

// ServiceEvents yields a service's events, the oldest first.
func (s *Snapshot) ServiceEvents(cluster, service string) iter.Seq[*fleet.ServiceEvent] {
	return values(tab(s).serviceEvents.below(cluster+"/"+service+"/", ""))
}

// Deployment is a deployment with its changing parts, which may be nil.
type Deployment struct {
	*fleet.Deployment
	State *fleet.DeploymentState
	Stop  *fleet.DeploymentStop
}

// Deployment returns a deployment of a service; its record is nil where there is
// none.
func (s *Snapshot) Deployment(cluster, service, id string) Deployment {
	var d Deployment
	key := cluster + "/" + service + "/" + id
	d.Deployment, _ = tab(s).deployments.get(key)
	d.State, _ = tab(s).deploymentStates.get(key)
	d.Stop, _ = tab(s).deploymentStops.get(key)
	return d
}

// Deployments returns a service's deployments, the newest first.
func (s *Snapshot) Deployments(cluster, service string) []Deployment {
	var all []Deployment
	for _, d := range tab(s).deployments.below(cluster+"/"+service+"/", "") {
		all = append(all, s.Deployment(cluster, service, d.ID))
	}
	slices.SortFunc(all, func(a, b Deployment) int { return cmp.Compare(b.Number, a.Number) })
	return all
}

// ServiceTasks counts a service's tasks, those that wait too.
func (s *Snapshot) ServiceTasks(cluster, service string) ServiceCounts {
	c, _ := tab(s).serviceTasks.Get(cluster + "/" + fleet.ServiceGroup(service))
	return c
}

// DeploymentTasks counts a deployment's tasks, those that wait too.
func (s *Snapshot) DeploymentTasks(cluster, deployment string) ServiceCounts {
	c, _ := tab(s).serviceTasks.Get(cluster + "/" + fleet.DeploymentStarter(deployment))
	return c
}

// DeploymentTasksOf is DeploymentTasks of one capacity provider alone.
func (s *Snapshot) DeploymentTasksOf(cluster, deployment, provider string) ServiceCounts {
	c, _ := tab(s).serviceTasks.Get(cluster + "/" + fleet.DeploymentStarter(deployment) + "/" + provider)
	return c
}

// FailedTasks yields the tasks of a deployment that have failed, by id.
func (s *Snapshot) FailedTasks(cluster, deployment string) iter.Seq[*fleet.TaskState] {
	return indexed(s, &tab(s).tasksFailed, cluster, cluster+"/"+fleet.DeploymentStarter(deployment), "")
}

// EndingTasks yields the tasks of a service that are to end and have not yet, by
// id.
func (s *Snapshot) EndingTasks(cluster, service string) iter.Seq[*fleet.TaskState] {
	return indexed(s, &tab(s).tasksEnding, cluster, cluster+"/"+service, "")
}
