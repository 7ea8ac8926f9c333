package fleet

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// TaskAmendment is what people and services have changed of a task since it was
// placed. Its absence means: nothing.
type TaskAmendment struct {
	// Tags replace the task's own once Tagged is set.
	Tagged bool        `json:"tagged,omitempty"`
	Tags   []types.Tag `json:"tags,omitempty"`
	// ProtectedUntil is when the task's protection from scale-in ends; zero is
	// none.
	ProtectedUntil time.Time `json:"protectedUntil,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

// CurrentTags are the task's tags as they are now.
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
