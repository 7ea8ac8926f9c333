// Package identity knows who may call: principals, their access keys, and what
// each of them is allowed to do.
package identity

import "errors"

// ErrUnknownKey says that no principal owns an access key id, or that its session
// token is not ours. The front door answers it as UnrecognizedClientException.
var ErrUnknownKey = errors.New("identity: unknown access key")

// Kind is the sort of a principal: which policies are its own, and which limits the
// front door holds it to. Handlers don't ask for it.
type Kind string

const (
	// Admin may do everything.
	Admin Kind = "admin"
	// Host is one machine: it may do what an agent needs, on its own instance.
	Host Kind = "host"
)

// Principal is whoever signed a request.
type Principal struct {
	Kind Kind
	// Name is the last part of the ARN: the administrator's or the host's name.
	Name string
	ARN  string
	// InstanceARN is the container instance that a host is bound to, empty
	// until it has registered and for every other kind.
	InstanceARN string
}

// Denied is an error that says no, as opposed to one that says that it could not be
// found out: the caller must not mistake the one for the other.
type Denied struct{ Message string }

func (d *Denied) Error() string { return d.Message }
