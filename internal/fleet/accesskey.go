package fleet

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// PrincipalKind is the kind of a principal.
type PrincipalKind string

const (
	PrincipalAdmin PrincipalKind = "admin"
	PrincipalHost  PrincipalKind = "host"
)

// AccessKey lets a principal sign requests. Its secret is sealed. The key that unseals
// it lies outside the store and the data directory.
type AccessKey struct {
	ID           string        `json:"id"`
	SealedSecret []byte        `json:"sealedSecret"`
	Kind         PrincipalKind `json:"kind"`
	Principal    string        `json:"principal"` // ARN
	CreatedAt    time.Time     `json:"createdAt"`

	Extra jsontext.Value `json:",embed"`
}
