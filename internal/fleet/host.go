package fleet

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Host is the principal of one machine and the container instance that it is
// bound to, if it has registered.
type Host struct {
	Name      string    `json:"name"`
	Principal string    `json:"principal"` // ARN
	CreatedAt time.Time `json:"createdAt"`
	Cluster   string    `json:"cluster,omitempty"`
	Instance  string    `json:"instance,omitempty"` // id

	Extra jsontext.Value `json:",embed"`
}
