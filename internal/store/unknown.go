package store

import (
	"fmt"
	"strings"
)

// A record of no kind that this version knows is kept and not shown: a newer version
// wrote it, mostly. It is not passed over in silence: it may as well be that a kind was
// forgotten, or that its path has changed.

// unknownRecords are such records whose paths are alike.
type unknownRecords struct {
	records int
	example string // the path of the first one
}

// pathPattern is what paths of one kind have in common, names left out: the parts of a path
// are a word and a name in turns.
func pathPattern(path string) string {
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "*"
	}
	return strings.Join(parts, "/")
}

// takeUnknown counts a record of no kind that has come or gone.
func (t *tables) takeUnknown(path string, come bool) {
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

// logUnknown logs the kinds of unknown records that there are since a state.
func (s *Store) logUnknown(was, is *tables) {
	is.unknown.Scan(func(of string, u unknownRecords) bool {
		if _, before := was.unknown.Get(of); !before {
			s.log.Warn("store: there are records that this version does not know: they are kept and not shown", "like", s.root+of, "one", s.root+u.example)
		}
		return true
	})
}

// unknownWarning names the kinds of records that are not known.
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
