package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

var providers = Register[fleet.CapacityProvider]("capacityprovider/*")

// CapacityProviderChanged is the kind of changes of a capacity provider.
var CapacityProviderChanged = providers.Changed()

// CapacityProviders is the prefix of every capacity provider.
var CapacityProviders = providers.Prefix()

// CapacityProviderKey names a capacity provider.
func CapacityProviderKey(name string) Key[fleet.CapacityProvider] { return providers.Key(name) }

// CapacityProvider returns a capacity provider that was created, or nil.
func (s *Snapshot) CapacityProvider(name string) *fleet.CapacityProvider {
	return providers.Get(s, name)
}

// CapacityProviders yields the capacity providers by name. It begins after the name
// `after`.
func (s *Snapshot) CapacityProviders(after string) iter.Seq2[string, *fleet.CapacityProvider] {
	return byName(providers, s, after)
}
