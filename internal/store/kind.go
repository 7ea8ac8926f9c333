package store

import (
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"
)

// kind is a kind of stored record: its keys, and how the tables store it. Register
// makes it.
type kind struct {
	path   string       // as registered, with a "*" for each name
	parts  []string     // of the path
	names  int          // number of names in the path
	around []string     // the texts before, between and behind the names
	change ChangeKind   // the kind that a change of its records reports
	value  reflect.Type // records are pointers to this
	dir    string       // of the source file that registers it
	decode func(data []byte) (any, error)
	hidden any // *holder, hidden as a snapshot's tables: see tab
	// uniques are its values that no two records may have in common.
	uniques []*uniqueness
}

// A holder is how the tables store the records of a kind.
type holder struct {
	// slot is the kind's slot on the shelf, -1 if it has tables of its own.
	slot int
	// key returns a table key for the names in the path.
	key func(escaped Names) string
	// names returns the names of a table key.
	names func(key string) Names
	// apply stores the value at a table key. If data is nil it deletes the record. If
	// the value can't be decoded, apply returns an error and changes nothing.
	apply func(t *tables, key string, data []byte, mod int64) error
	// get returns a record and its revision. v is a typed nil pointer if there is no
	// record.
	get func(t *tables, key string) (v any, mod int64)
	// rows yields table keys and revisions in the order of keys.
	rows func(t *tables) iter.Seq2[string, int64]
}

// holderOf returns a kind's holder. It is not a method: see tab.
func holderOf(k *kind) *holder { return k.hidden.(*holder) }

// registry has the kinds of records that this program knows. Every store has all of
// them: a store without a package's kinds would keep that package's records and not
// show them. So there is one registry, and Register fills it before main begins. A kind
// that is registered twice, or too late, ends the program at once.
type registry struct {
	mu      sync.Mutex
	kinds   []*kind
	byFirst map[string][]*kind // by the first part of the path
	slots   int
	closed  bool // a store has been opened
}

var registered registry

// add adds a kind.
func (r *registry) add(k *kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		panic(fmt.Sprintf("store: %s is registered after a store was opened: register it in a package variable", k.path))
	}
	for _, other := range r.kinds {
		if overlap(k.parts, other.parts) {
			panic(fmt.Sprintf("store: a record may be of %s, which is registered in %s, and of %s", other.path, other.dir, k.path))
		}
	}
	if r.byFirst == nil {
		r.byFirst = map[string][]*kind{}
	}
	r.kinds = append(r.kinds, k)
	r.byFirst[k.parts[0]] = append(r.byFirst[k.parts[0]], k)
	if h := holderOf(k); h.slot >= 0 {
		h.slot = r.slots
		r.slots++
	}
}

// close ends the registration of kinds.
func (r *registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		for _, k := range r.kinds {
			if missing := unwired(k.value); missing != nil {
				panic(fmt.Sprintf("store: %s holds a %v: say store.Wire[%v]() in %s, or it is stored under Go's names", k.path, missing, missing, k.dir))
			}
		}
	}
}

func (r *registry) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// overlap says whether a path may match both.
func overlap(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && a[i] != "*" && b[i] != "*" {
			return false
		}
	}
	return true
}

// locate returns the kind of the record at a path below the root, and the names in the
// path, still escaped. k is nil for a record of an unknown kind, for example of a newer
// version.
func (r *registry) locate(path string) (k *kind, escaped Names) {
	first, _, _ := strings.Cut(path, "/")
find:
	for _, k := range r.byFirst[first] {
		rest, more, n := path, true, 0
		for _, want := range k.parts {
			if !more {
				continue find
			}
			var part string
			part, rest, more = strings.Cut(rest, "/")
			switch {
			case want == "*":
				escaped[n] = part
				n++
			case want != part:
				continue find
			}
		}
		if more {
			continue
		}
		for i := n; i < maxNames; i++ {
			escaped[i] = ""
		}
		for _, name := range escaped[:n] {
			if !isEscaped(name) {
				return nil, Names{}
			}
		}
		return k, escaped
	}
	return nil, Names{}
}

func locate(path string) (k *kind, escaped Names) { return registered.locate(path) }

// isEscaped says whether escape could have written a name in a path. No key has any
// other name.
func isEscaped(name string) bool {
	for i := range len(name) {
		if !stays(name[i]) {
			_, ok := unescape(name)
			return ok
		}
	}
	return name != ""
}

// recordPath returns the path of the record with these names.
func (k *kind) recordPath(escaped []string) string {
	switch len(escaped) {
	case 0:
		return k.path
	case 1:
		return k.around[0] + escaped[0] + k.around[1]
	case 2:
		return k.around[0] + escaped[0] + k.around[1] + escaped[1] + k.around[2]
	}
	var b strings.Builder
	for i, name := range escaped {
		b.WriteString(k.around[i])
		b.WriteString(name)
	}
	b.WriteString(k.around[len(escaped)])
	return b.String()
}

// escaped returns the names as they are in a path. It panics if the number of names is
// wrong.
func (k *kind) escaped(names []string) (out Names) {
	if len(names) != k.names {
		panic(fmt.Sprintf("store: %d names for a key of %s", len(names), k.path))
	}
	for i, name := range names {
		out[i] = escape(name)
	}
	return out
}

// prefix returns the common beginning of the paths of a kind's records with these first
// names.
func (k *kind) prefix(names []string) string {
	if len(names) >= k.names {
		panic(fmt.Sprintf("store: %d names for a prefix of %s", len(names), k.path))
	}
	var b strings.Builder
	for i, name := range names {
		b.WriteString(k.around[i])
		b.WriteString(escape(name))
	}
	b.WriteString(k.around[len(names)])
	return b.String()
}

// changed returns the change of a record of the kind.
func (k *kind) changed(escaped Names) Change {
	for i, name := range escaped[:k.names] {
		if strings.IndexByte(name, '%') >= 0 {
			escaped[i], _ = unescape(name) // locate has checked the name
		}
	}
	return Change{k.change, escaped}
}

// changedAt returns the change of the record at a table key.
func (k *kind) changedAt(key string) Change { return Change{k.change, holderOf(k).names(key)} }

// apply applies one record's new value. If data is nil it deletes the record. path is
// the key below the site's root. The error is applyRecord's.
func (t *tables) apply(path string, data []byte, mod int64) (Change, error) {
	k, names := locate(path)
	if k == nil {
		t.countUnknown(path, data != nil)
		return Change{}, nil
	}
	return k.changed(names), t.applyRecord(k, names, path, data, mod)
}

// applyRecord is apply for a record whose kind is known. The error says that the record can't
// be read. It is set aside then, and the tables do not contain it.
func (t *tables) applyRecord(k *kind, escaped Names, path string, data []byte, mod int64) (broken error) {
	h := holderOf(k)
	key := h.key(escaped)
	if broken = t.torn.of(path, mod); broken == nil {
		broken = h.apply(t, key, data, mod)
	}
	switch {
	case broken != nil:
		// The tables must not show its former value.
		if err := h.apply(t, key, nil, mod); err != nil {
			return err // a deletion decodes nothing
		}
		data = nil
		u := unreadable(path, mod, broken.Error())
		t.unreadable.Set(u.Key, u)
		broken = &u
	case t.unreadable.Len() > 0:
		t.unreadable.Delete(path)
	}
	switch {
	case k.change == InstanceChanged && data == nil:
		t.updateHost(memberOf(key), func(r *hostRow) { r.changed = 0 })
	case k.change == InstanceChanged, k.change == SessionChanged:
		t.touchInstance(memberOf(key), mod)
	}
	return broken
}

// diff returns the records that differ between two states.
func diff(was, is *tables) []Change {
	var changes []Change
	for _, k := range registered.kinds {
		rows := holderOf(k).rows
		nextOld, stopOld := iter.Pull2(rows(was))
		nextNew, stopNew := iter.Pull2(rows(is))
		a, amod, oka := nextOld()
		b, bmod, okb := nextNew()
		for oka || okb {
			switch {
			case !okb || oka && a < b:
				changes = append(changes, k.changedAt(a))
				a, amod, oka = nextOld()
			case !oka || b < a:
				changes = append(changes, k.changedAt(b))
				b, bmod, okb = nextNew()
			default:
				if amod != bmod {
					changes = append(changes, k.changedAt(b))
				}
				a, amod, oka = nextOld()
				b, bmod, okb = nextNew()
			}
		}
		stopOld()
		stopNew()
	}
	differ := func(one, other *tables) {
		one.unreadable.Scan(func(path string, u Unreadable) bool {
			if o, known := other.unreadable.Get(path); !known || o.mod > u.mod {
				k, names := locate(path)
				changes = append(changes, k.changed(names))
			}
			return true
		})
	}
	differ(was, is)
	differ(is, was)
	return changes
}
