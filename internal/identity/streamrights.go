package identity

import (
	"strings"

	"github.com/ashore/ashore/internal/store"
)

// RightsKinds are the kinds of records that decide what principals may do, besides the
// records that a request is about. When such a record changes, a stream decides again.
var RightsKinds = []store.ChangeKind{store.AccessKeyChanged, store.HostChanged}

// RightsDependOn reports whether a change of a record of these kinds may alter what a
// caller with an access key may do.
func RightsDependOn(c store.Change, p Principal, accessKeyID string) bool {
	switch c.Kind {
	case store.AccessKeyChanged:
		return c.Names[0] == accessKeyID
	case store.HostChanged:
		return strings.HasSuffix(p.ARN, ":user/host/"+c.Names[0])
	}
	return false
}

// CheckKey returns ErrUnknownKey if an access key is deleted, or belongs to another
// principal. A caller without a key is this process itself, which is always valid.
func CheckKey(s *store.Snapshot, p Principal, accessKeyID string) error {
	if accessKeyID == "" {
		return nil
	}
	if k := s.AccessKey(accessKeyID); k == nil || k.Principal != p.ARN {
		return ErrUnknownKey
	}
	return nil
}
