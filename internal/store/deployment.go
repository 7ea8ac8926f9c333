package store

import (
	"cmp"
	"slices"

	"github.com/ashore/ashore/internal/fleet"
)

// A change of these records is a change of the service.
var (
	deployments      = Register[fleet.Deployment]("cluster/*/service/*/deployment/*").PartOf(ServiceChanged)
	deploymentStates = Register[fleet.DeploymentState]("cluster/*/service/*/deployment/*/state").PartOf(ServiceChanged)
	deploymentStops  = Register[fleet.DeploymentStop]("cluster/*/service/*/deployment/*/stop").PartOf(ServiceChanged)
)

// DeploymentKey names a deployment of a service.
func DeploymentKey(cluster, service, id string) Key[fleet.Deployment] {
	return deployments.Key(cluster, service, id)
}

// DeploymentStateKey names the state that the scheduler writes for a deployment.
func DeploymentStateKey(cluster, service, id string) Key[fleet.DeploymentState] {
	return deploymentStates.Key(cluster, service, id)
}

// DeploymentStopKey names the order to stop a deployment.
func DeploymentStopKey(cluster, service, id string) Key[fleet.DeploymentStop] {
	return deploymentStops.Key(cluster, service, id)
}

// Deployment is a deployment with its changeable records, which may be nil.
type Deployment struct {
	*fleet.Deployment
	State *fleet.DeploymentState
	Stop  *fleet.DeploymentStop
}

// Deployment returns a deployment of a service. The embedded record is nil if there is
// no such deployment.
func (s *Snapshot) Deployment(cluster, service, id string) Deployment {
	return tab(s).deployment(cluster, service, id)
}

func (t *tables) deployment(cluster, service, id string) (d Deployment) {
	key := tableKey(cluster, service, id)
	d.Deployment, _ = recordIn(t, deployments, key)
	d.State, _ = recordIn(t, deploymentStates, key)
	d.Stop, _ = recordIn(t, deploymentStops, key)
	return d
}

// Deployments returns a service's deployments, the newest first.
func (s *Snapshot) Deployments(cluster, service string) []Deployment {
	var all []Deployment
	for names := range deployments.ListWithin(s, cluster, service) {
		all = append(all, s.Deployment(cluster, service, names[2]))
	}
	slices.SortFunc(all, func(a, b Deployment) int { return cmp.Compare(b.Number, a.Number) })
	return all
}
