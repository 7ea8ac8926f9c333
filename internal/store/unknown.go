package store

import (
	"fmt"
	"strings"
)

// The store keeps a record of an unknown kind and does not show it. Mostly a newer
// version wrote it. The store reports such records, because a kind may also have been
// forgotten, or its path may have changed.

// unknownRecords counts the unknown records with one path pattern.
type unknownRecords struct {
	records int
	example string // the path of the first one
}

// pathPattern returns a path with all parts but the first replaced by "*". Which parts
// are names is not known of an unknown kind, and each name would be a pattern of its own.
func pathPattern(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first + strings.Repeat("/*", strings.Count(path, "/"))
}

// countUnknown counts an unknown record that was added (come) or removed.
func (t *tables) countUnknown(path string, come bool) {
	if path == headKey {
		return
	}
	of := pathPattern(path)
	u, known := t.unknown.Get(of)
	switch {
	case come && !known:
		u = unknownRecords{1, path}
	case come:
		u.records++
	default:
		u.records--
	}
	if u.records <= 0 {
		t.unknown.Delete(of)
		return
	}
	t.unknown.Set(of, u)
}

// logUnknown logs the path patterns of unknown records that are new since the state
// was.
func logUnknown(s *Store, was, is *tables) {
	is.unknown.Scan(func(of string, u unknownRecords) bool {
		if _, before := was.unknown.Get(of); !before {
			s.log.Warn("store: there are records that this version does not know: they are kept and not shown", "like", s.root+of, "one", s.root+u.example)
		}
		return true
	})
}

// unknownWarning returns the warning that names the path patterns of unknown records.
func (s *Store) unknownWarning() (w Warning, is bool) {
	var all []string
	n := 0
	tab(s.Snapshot()).unknown.Scan(func(of string, u unknownRecords) bool {
		n += u.records
		all = append(all, fmt.Sprintf("%d like %s%s", u.records, s.root, of))
		return true
	})
	if n == 0 {
		return w, false
	}
	return Warning{"records-unknown", "warning", fmt.Sprintf("%d stored records are of kinds that this version of Ashore does not know, as a newer one writes: they are kept, and nothing is done with them: %s",
		n, strings.Join(all, "; "))}, true
}
