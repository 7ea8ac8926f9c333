package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// TaskAmendment has the changes that people and services have made to a task since it
// was placed. Without this record there are none.
type TaskAmendment struct {
	// Tags replace the task's own tags if Tagged is set.
	Tagged bool        `json:"tagged,omitempty"`
	Tags   []types.Tag `json:"tags,omitempty"`
	// ProtectedUntil is when the task's protection from scale-in ends. Zero means no
	// protection.
	ProtectedUntil time.Time `json:"protectedUntil,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// CurrentTags returns the task's present tags.
func (t *TaskState) CurrentTags() []types.Tag {
	if t.Amendment != nil && t.Amendment.Tagged {
		return t.Amendment.Tags
	}
	return t.Tags
}

// Protected says whether the task is protected from scale-in at a time.
func (t *TaskState) Protected(now time.Time) bool {
	return t.Amendment != nil && now.Before(t.Amendment.ProtectedUntil)
}
