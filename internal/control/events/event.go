// Package events turns changes into events in the form that Amazon ECS sends to
// EventBridge. It is the only place that does so.
//
//	store.Moment ── Of ──► events of one change, by data alone
//	store.Chronicle ── Stream ──► batches for a consumer, from a revision on
//
// An event's id, version and detail follow from the change and its revision, so every
// server makes the same events. The time of an event is when the server that sends it
// saw the change.
package events

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/google/uuid"
)

// The detail types of ECS's events.
const (
	TaskStateChange               = "ECS Task State Change"
	ContainerInstanceStateChange  = "ECS Container Instance State Change"
	ContainerInstanceHealthChange = "ECS Container Instance Health Change"
	DeploymentStateChange         = "ECS Deployment State Change"
	ServiceAction                 = "ECS Service Action"
)

// DuplicateAgentRefused is the detail type of an event that ECS does not have: two
// machines have one identity, and the second one's agent was refused.
const DuplicateAgentRefused = "Ashore Duplicate Agent Refused"

// DetailTypes are all detail types of events.
var DetailTypes = []string{TaskStateChange, ContainerInstanceStateChange, ContainerInstanceHealthChange, DeploymentStateChange, ServiceAction, DuplicateAgentRefused}

// Event is an event in EventBridge's form.
type Event struct {
	Version    string          `json:"version"` // version of this form: "0"
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// newEvent puts a detail into its envelope. what distinguishes events of one resource
// at one revision.
func newEvent(site fleet.Site, m *store.Moment, detailType, resource, what string, d detail) Event {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", detailType, resource, what, m.Revision))
	id, err := uuid.FromBytes(sum[:16])
	if err != nil { // 16 bytes are always a UUID
		panic(err)
	}
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: a form of our own
	return Event{
		Version: "0", ID: id.String(), DetailType: detailType, Source: "aws.ecs", Account: site.Account, Region: site.Region,
		Time: m.At.UTC().Format(time.RFC3339), Resources: []string{resource}, Detail: d.encode(),
	}
}

// Of returns the events of one change that the filter selects. There may be none: not
// every write makes an event.
func Of(site fleet.Site, m *store.Moment, f *Filter) []Event {
	var out []Event
	add := func(detailType string, matches bool, make func() (Event, bool)) {
		if !matches || !f.wants(detailType) {
			return
		}
		if e, ok := make(); ok {
			out = append(out, e)
		}
	}
	switch m.Kind {
	case store.TaskChanged:
		add(TaskStateChange, f.matchesTask(m), func() (Event, bool) { return taskEvent(site, m) })
	case store.InstanceChanged:
		add(ContainerInstanceStateChange, f.matchesInstance(m), func() (Event, bool) { return instanceEvent(site, m) })
		add(ContainerInstanceHealthChange, f.matchesInstance(m), func() (Event, bool) { return healthEvent(site, m) })
		add(DuplicateAgentRefused, f.matchesInstance(m), func() (Event, bool) { return duplicateEvent(site, m) })
	case store.ServiceChanged:
		add(DeploymentStateChange, f.matchesService(m), func() (Event, bool) { return deploymentBegunEvent(site, m) })
		add(DeploymentStateChange, f.matchesService(m), func() (Event, bool) { return deploymentEndedEvent(site, m) })
		add(ServiceAction, f.matchesService(m), func() (Event, bool) { return actionEvent(site, m) })
	}
	return out
}
