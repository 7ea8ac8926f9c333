package store

import (
	"fmt"
	"iter"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

var (
	services         = Register[fleet.Service]("cluster/*/service/*")
	serviceStates    = Register[fleet.ServiceState]("cluster/*/service/*/state").PartOf(ServiceChanged)
	serviceRevisions = Register[fleet.ServiceRevision]("cluster/*/service/*/revision/*").PartOf(ServiceChanged)
	serviceEvents    = Register[fleet.ServiceEvent]("cluster/*/service/*/event/*").PartOf(ServiceChanged)
)

// ServiceChanged is the kind of changes of a service, its state, revisions, deployments
// or events. Its names are the cluster, the service, and further names of the record.
var ServiceChanged = services.Changed()

// Services is the prefix of a cluster's services and all records that belong to them.
func Services(cluster string) string { return services.Prefix(cluster) }

// ServiceKey names a service.
func ServiceKey(cluster, name string) Key[fleet.Service] { return services.Key(cluster, name) }

// ServiceMembers is the prefix of all records that belong to a service.
func ServiceMembers(cluster, name string) string { return services.Members(cluster, name) }

// ServiceStateKey names the state that the scheduler writes for a service.
func ServiceStateKey(cluster, name string) Key[fleet.ServiceState] {
	return serviceStates.Key(cluster, name)
}

// ServiceRevisionKey names a revision of a service.
func ServiceRevisionKey(cluster, service, id string) Key[fleet.ServiceRevision] {
	return serviceRevisions.Key(cluster, service, id)
}

// ServiceEventKey names an event of a service by its number.
func ServiceEventKey(cluster, service string, number int64) Key[fleet.ServiceEvent] {
	return serviceEvents.Key(cluster, service, fmt.Sprintf("%012d", number)) // text order is number order
}

// Service returns a service, or nil.
func (s *Snapshot) Service(cluster, name string) *fleet.Service {
	return services.Get(s, cluster, name)
}

// ServiceReadable returns an UnreadableError if a record of a service can't be read,
// except for its events. A decision must not rest on the service's records then.
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

// Services yields a cluster's services by name, including INACTIVE ones. It begins
// after the name `after`.
func (s *Snapshot) Services(cluster, after string) iter.Seq[*fleet.Service] {
	return services.values(s, rangeAfter(after, cluster))
}

// ServiceState returns the state that the scheduler has written for a service. It
// returns nil if the scheduler has not processed the service yet.
func (s *Snapshot) ServiceState(cluster, name string) *fleet.ServiceState {
	return serviceStates.Get(s, cluster, name)
}

// ServiceRevision returns a revision of a service, or nil.
func (s *Snapshot) ServiceRevision(cluster, service, id string) *fleet.ServiceRevision {
	return serviceRevisions.Get(s, cluster, service, id)
}

// ServiceRevisions yields a service's revisions by id.
func (s *Snapshot) ServiceRevisions(cluster, service string) iter.Seq[*fleet.ServiceRevision] {
	return serviceRevisions.values(s, Range{Within: []string{cluster, service}})
}

// ServiceEvents yields a service's events, the oldest first.
func (s *Snapshot) ServiceEvents(cluster, service string) iter.Seq[*fleet.ServiceEvent] {
	return serviceEvents.values(s, Range{Within: []string{cluster, service}})
}

// ServiceTasks counts a service's tasks, including waiting ones.
func (s *Snapshot) ServiceTasks(cluster, service string) ServiceCounts {
	c, _ := tab(s).serviceTasks.Get(cluster + "/" + fleet.ServiceGroup(service))
	return c
}

// DeploymentTasks counts a deployment's tasks, including waiting ones.
func (s *Snapshot) DeploymentTasks(cluster, deployment string) ServiceCounts {
	c, _ := tab(s).serviceTasks.Get(cluster + "/" + fleet.DeploymentStarter(deployment))
	return c
}

// DeploymentTasksOf counts a deployment's tasks of one capacity provider.
func (s *Snapshot) DeploymentTasksOf(cluster, deployment, provider string) ServiceCounts {
	c, _ := tab(s).serviceTasks.Get(cluster + "/" + fleet.DeploymentStarter(deployment) + "/" + provider)
	return c
}

// FailedTasks yields the tasks of a deployment that have failed, by id.
func (s *Snapshot) FailedTasks(cluster, deployment string) iter.Seq[*fleet.TaskState] {
	return tasksByIndex(s, &tab(s).tasksFailed, cluster, cluster+"/"+fleet.DeploymentStarter(deployment), "")
}

// EndingTasks yields the tasks of a service that have a stop order and have not
// stopped, by id.
func (s *Snapshot) EndingTasks(cluster, service string) iter.Seq[*fleet.TaskState] {
	return tasksByIndex(s, &tab(s).tasksEnding, cluster, cluster+"/"+service, "")
}
