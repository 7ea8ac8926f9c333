package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// Family counts the revisions of a task definition's family. A revision number is never
// reused.
type Family struct {
	Name   string `json:"name"`
	Latest int    `json:"latest"`

	Extra jsontext.Value `json:",embed"`
}

// TaskDefinition is one revision, written once. Definition is the registered
// definition, after ECS's defaults and normalisation, without its tags.
type TaskDefinition struct {
	Family             string                           `json:"family"`
	Revision           int                              `json:"revision"`
	RegisteredAt       time.Time                        `json:"registeredAt"`
	RegisteredBy       string                           `json:"registeredBy,omitempty"`
	Definition         *ecs.RegisterTaskDefinitionInput `json:"definition"`
	Compatibilities    []types.Compatibility            `json:"compatibilities,omitempty"`
	RequiresAttributes []types.Attribute                `json:"requiresAttributes,omitempty"`
	// Reserve is what one task of this revision reserves on a host, before overrides.
	Reserve Reservation `json:"reserve"`

	Extra jsontext.Value `json:",embed"`
}

// TaskDefinitionState is the changeable part of a revision. Without this record the
// revision is ACTIVE and has no tags.
type TaskDefinitionState struct {
	Status         types.TaskDefinitionStatus `json:"status"`
	DeregisteredAt time.Time                  `json:"deregisteredAt,omitzero"`
	// DeleteRequestedAt is when the revision became DELETE_IN_PROGRESS. Its records are
	// removed when all of its tasks have stopped.
	DeleteRequestedAt time.Time   `json:"deleteRequestedAt,omitzero"`
	Tags              []types.Tag `json:"tags,omitempty"`

	Extra jsontext.Value `json:",embed"`
}
