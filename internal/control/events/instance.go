package events

import (
	"slices"

	"github.com/ashore/ashore/internal/control/describe"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// instanceEvent reports a change of a container instance, of its remaining resources,
// or of its agent's connection.
func instanceEvent(site fleet.Site, m *store.Moment) (Event, bool) {
	if m.Is.Instance == nil || m.Was.Instance != nil && m.Was.InstanceRevision == m.Is.InstanceRevision {
		return Event{}, false
	}
	d := newDetail(describe.Instance(site, m.Is, describe.InstanceFields{})).without("tags")
	d["clusterArn"] = site.ClusterARN(m.Names[0])
	d["updatedAt"] = m.At
	return newEvent(site, m, ContainerInstanceStateChange, site.InstanceARN(m.Names[0], m.Names[1]), "", d), true
}

// healthEvent reports that one of an instance's checks has a new result, or that
// there is no agent any more that could report one.
func healthEvent(site fleet.Site, m *store.Moment) (Event, bool) {
	if m.Is.Instance == nil || m.Was.Health == nil && m.Is.Health == nil {
		return Event{}, false
	}
	was, is := describe.Health(m.Was), describe.Health(m.Is)
	if was.OverallStatus == is.OverallStatus && slices.EqualFunc(was.Details, is.Details, sameResult) {
		return Event{}, false
	}
	i := newDetail(describe.Instance(site, m.Is, describe.InstanceFields{}))
	d := detail{
		"clusterArn": site.ClusterARN(m.Names[0]), "containerInstanceArn": i["containerInstanceArn"],
		"capacityProviderName": i["capacityProviderName"], // null where it has none
		"ec2InstanceId":        i["ec2InstanceId"],
		"overallStatus":        is.OverallStatus, "healthChecks": is.Details,
	}
	return newEvent(site, m, ContainerInstanceHealthChange, site.InstanceARN(m.Names[0], m.Names[1]), "", d), true
}

func sameResult(a, b types.InstanceHealthCheckResult) bool {
	return a.Type == b.Type && a.Status == b.Status
}

// duplicateEvent reports that a second agent came with an instance's identity, and
// that the connected one stays.
func duplicateEvent(site fleet.Site, m *store.Moment) (Event, bool) {
	if m.Is.Instance == nil || m.Is.Instance.Duplicate == nil || m.Is.Instance.Duplicate.ReportedAt.IsZero() {
		return Event{}, false
	}
	d := m.Is.Instance.Duplicate
	if was := m.Was.Instance; was != nil && was.Duplicate != nil && was.Duplicate.ReportedAt.Equal(d.ReportedAt) {
		return Event{}, false
	}
	arn := site.InstanceARN(m.Names[0], m.Names[1])
	reason := "An agent with the identity of this container instance was refused, because another one is connected."
	if d.Address != "" {
		reason = "An agent with the identity of this container instance, from " + d.Address + ", was refused, because another one is connected."
	}
	e := newEvent(site, m, DuplicateAgentRefused, arn, "", detail{
		"clusterArn": site.ClusterARN(m.Names[0]), "containerInstanceArn": arn, "eventType": "WARN", "eventName": "DUPLICATE_AGENT_REFUSED",
		"address": d.Address, "reason": reason + " Two machines have one identity: is the disk of one a copy of the other's?", "createdAt": d.At,
	})
	e.Source = "ashore"
	return e, true
}
