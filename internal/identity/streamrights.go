package identity

import (
	"strings"

	"github.com/ashore/ashore/internal/store"
)

// RightsKinds are the kinds of records that decide what principals may, beside the
// records of what a request is about. A stream decides anew when one of them changes.
var RightsKinds = []store.ChangeKind{store.AccessKeyChanged, store.HostChanged}

// RightsDependOn says whether a change of a record of these kinds may alter what a caller
// with an access key may.
func RightsDependOn(c store.Change, p Principal, accessKeyID string) bool {
	switch c.Kind {
	case store.AccessKeyChanged:
		return c.Names[0] == accessKeyID
	case store.HostChanged:
		return strings.HasSuffix(p.ARN, ":user/host/"+c.Names[0])
	}
	return false
}

// CheckKey returns ErrUnknownKey where an access key has been deleted, or is another
// principal's. Without a key the caller is this process itself, which is always valid.
func CheckKey(s *store.Snapshot, p Principal, accessKeyID string) error {
	if accessKeyID == "" {
		return nil
	}
	if k := s.AccessKey(accessKeyID); k == nil || k.Principal != p.ARN {
		return ErrUnknownKey
	}
	return nil
}
