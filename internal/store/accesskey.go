package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

var accessKeys = Register[fleet.AccessKey]("accesskey/*")

// AccessKeyChanged is the kind of changes of an access key.
var AccessKeyChanged = accessKeys.Changed()

// AccessKeys is the prefix of every access key.
var AccessKeys = accessKeys.Prefix()

// AccessKeyKey names an access key by its id.
func AccessKeyKey(id string) Key[fleet.AccessKey] { return accessKeys.Key(id) }

// AccessKey returns an access key, or nil.
func (s *Snapshot) AccessKey(id string) *fleet.AccessKey { return accessKeys.Get(s, id) }

// AccessKeys yields the access keys by id.
func (s *Snapshot) AccessKeys() iter.Seq[*fleet.AccessKey] { return accessKeys.values(s, Range{}) }
