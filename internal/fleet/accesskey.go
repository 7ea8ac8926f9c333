package fleet

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// PrincipalKind says what a principal is.
type PrincipalKind string

const (
	PrincipalAdmin PrincipalKind = "admin"
	PrincipalHost  PrincipalKind = "host"
)

// AccessKey lets a principal sign. Its secret is sealed: the key that opens it
// lies outside the store and the data directory.
type AccessKey struct {
	ID           string        `json:"id"`
	SealedSecret []byte        `json:"sealedSecret"`
	Kind         PrincipalKind `json:"kind"`
	Principal    string        `json:"principal"` // ARN
	CreatedAt    time.Time     `json:"createdAt"`

	Extra jsontext.Value `json:",embed"`
}
