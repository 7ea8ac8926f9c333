package store

import "github.com/ashore/ashore/internal/fleet"

var principals = Register[fleet.Host]("host/*")

// HostChanged is the kind of changes of a host's principal.
var HostChanged = principals.Changed()

// HostKey names a host's principal.
func HostKey(name string) Key[fleet.Host] { return principals.Key(name) }

// Host returns a host's principal, or nil.
func (s *Snapshot) Host(name string) *fleet.Host { return principals.Get(s, name) }
