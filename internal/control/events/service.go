package events

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// deploymentBegunEvent reports that a service has a new deployment.
func deploymentBegunEvent(site fleet.Site, m *store.Moment) (Event, bool) {
	d := m.Is.Deployment
	if d.Deployment == nil || m.Was.Deployment.Deployment != nil {
		return Event{}, false
	}
	reason := fmt.Sprintf("ECS deployment %s in progress.", fleet.DeploymentStarter(d.ID))
	if d.RollbackOf != "" {
		reason = cmp.Or(d.Reason, fmt.Sprintf("ECS deployment circuit breaker: rolling back to deploymentId %s.", fleet.DeploymentStarter(d.ID)))
	}
	return deploymentEvent(site, m, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", reason), true
}

// deploymentEndedEvent reports that a service's deployment has completed or failed.
func deploymentEndedEvent(site fleet.Site, m *store.Moment) (Event, bool) {
	was, is := m.Was.Deployment, m.Is.Deployment
	if is.Deployment == nil || is.State == nil || was.State != nil && was.State.Rollout == is.State.Rollout {
		return Event{}, false
	}
	switch is.State.Rollout {
	case types.DeploymentRolloutStateCompleted:
		return deploymentEvent(site, m, "INFO", "SERVICE_DEPLOYMENT_COMPLETED", fmt.Sprintf("ECS deployment %s completed.", fleet.DeploymentStarter(is.ID))), true
	case types.DeploymentRolloutStateFailed:
		return deploymentEvent(site, m, "ERROR", "SERVICE_DEPLOYMENT_FAILED", cmp.Or(is.State.Reason, "ECS deployment circuit breaker: tasks failed to start.")), true
	}
	return Event{}, false
}

func deploymentEvent(site fleet.Site, m *store.Moment, typ, name, reason string) Event {
	d := m.Is.Deployment
	updated := d.CreatedAt
	if d.State != nil && !d.State.UpdatedAt.IsZero() {
		updated = d.State.UpdatedAt
	}
	return newEvent(site, m, DeploymentStateChange, site.ServiceARN(m.Names[0], m.Names[1]), d.ID+" "+name, detail{
		"eventType": typ, "eventName": name, "deploymentId": fleet.DeploymentStarter(d.ID), "updatedAt": updated, "reason": reason,
	})
}

// actionEvent reports an event of a service for which ECS has a name.
func actionEvent(site fleet.Site, m *store.Moment) (Event, bool) {
	e := m.Is.Event
	if e == nil || m.Was.Event != nil || e.Type == "" || e.Name == "" {
		return Event{}, false
	}
	d := detail{"eventType": e.Type, "eventName": e.Name, "clusterArn": site.ClusterARN(m.Names[0]), "createdAt": e.At}
	if e.Reason != "" {
		d["reason"] = e.Reason
	}
	return newEvent(site, m, ServiceAction, site.ServiceARN(m.Names[0], m.Names[1]), strconv.FormatInt(e.Number, 10), d), true
}
