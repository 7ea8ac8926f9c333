// Package identity knows the principals: their access keys, and their permissions.
package identity

import "errors"

// ErrUnknownKey says that no principal owns an access key id, or that a session token
// is unknown. The front door answers it as UnrecognizedClientException.
var ErrUnknownKey = errors.New("identity: unknown access key")

// Kind is a kind of principal. It decides about the principal's policies, and about the
// front door's limits. Handlers don't read it.
type Kind string

const (
	// Admin may do everything.
	Admin Kind = "admin"
	// Host is one machine. It may do what an agent needs, on its own instance.
	Host Kind = "host"
)

// Principal is the signer of a request.
type Principal struct {
	Kind Kind
	// Name is the last part of the ARN: the administrator's or the host's name.
	Name string
	ARN  string
	// InstanceARN is the container instance of a host. It is empty before the host's
	// registration, and for every other kind.
	InstanceARN string
}

// Denied is an error that denies a request. Other errors mean that the decision failed.
// Callers must not confuse the two.
type Denied struct{ Message string }

func (d *Denied) Error() string { return d.Message }
