package store

import (
	"fmt"

	"github.com/ashore/ashore/internal/fleet"
)

// Services is the prefix of a cluster's services and all that belongs to them.
func Services(cluster string) string { return "cluster/" + cluster + "/service/" }

// ServiceKey names a service.
func ServiceKey(cluster, name string) Key[fleet.Service] {
	return Key[fleet.Service]{Services(cluster) + name, func(s *Snapshot) (*fleet.Service, int64) {
		return tab(s).services.get(cluster + "/" + name)
	}}
}

// ServiceMembers is the prefix of all that belongs to a service.
func ServiceMembers(cluster, name string) string { return Services(cluster) + name + "/" }

// ServiceStateKey names what the scheduler has made of a service.
func ServiceStateKey(cluster, name string) Key[fleet.ServiceState] {
	return Key[fleet.ServiceState]{Services(cluster) + name + "/state", func(s *Snapshot) (*fleet.ServiceState, int64) {
		return tab(s).serviceStates.get(cluster + "/" + name)
	}}
}

// ServiceRevisionKey names a revision of a service.
func ServiceRevisionKey(cluster, service, id string) Key[fleet.ServiceRevision] {
	return Key[fleet.ServiceRevision]{Services(cluster) + service + "/revision/" + id, func(s *Snapshot) (*fleet.ServiceRevision, int64) {
		return tab(s).serviceRevisions.get(cluster + "/" + service + "/" + id)
	}}
}

// ServiceEventKey names an event of a service by its number.
func ServiceEventKey(cluster, service string, number int64) Key[fleet.ServiceEvent] {
	n := fmt.Sprintf("%012d", number) // text order is number order
	return Key[fleet.ServiceEvent]{Services(cluster) + service + "/event/" + n, func(s *Snapshot) (*fleet.ServiceEvent, int64) {
		return tab(s).serviceEvents.get(cluster + "/" + service + "/" + n)
	}}
}

// DeploymentKey names a deployment of a service.
func DeploymentKey(cluster, service, id string) Key[fleet.Deployment] {
	return Key[fleet.Deployment]{Services(cluster) + service + "/deployment/" + id, func(s *Snapshot) (*fleet.Deployment, int64) {
		return tab(s).deployments.get(cluster + "/" + service + "/" + id)
	}}
}

// DeploymentStateKey names what the scheduler has made of a deployment.
func DeploymentStateKey(cluster, service, id string) Key[fleet.DeploymentState] {
	return Key[fleet.DeploymentState]{Services(cluster) + service + "/deployment/" + id + "/state", func(s *Snapshot) (*fleet.DeploymentState, int64) {
		return tab(s).deploymentStates.get(cluster + "/" + service + "/" + id)
	}}
}

// DeploymentStopKey names the wish that a deployment end.
func DeploymentStopKey(cluster, service, id string) Key[fleet.DeploymentStop] {
	return Key[fleet.DeploymentStop]{Services(cluster) + service + "/deployment/" + id + "/stop", func(s *Snapshot) (*fleet.DeploymentStop, int64) {
		return tab(s).deploymentStops.get(cluster + "/" + service + "/" + id)
	}}
}
