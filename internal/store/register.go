package store

import (
	"fmt"
	"iter"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// Kind is a kind of stored record: *V at one path. A package declares each of its kinds
// in a package variable. Everything that the store does with the kind's records follows
// from that: keys, snapshots, the feed, backups, and the check that records of earlier
// versions can be read.
type Kind[V any] struct {
	k       *kind
	indexes *[]finder
}

// Register declares a kind. Its path is the key of a record below the site's root, with
// a "*" for each name, as in "logs/group/*" or "logs/group/*/stream/*". A name may be
// any text, even "" or a text with slashes. It is escaped in the key.
//
// V is a struct. A member with the tag `json:",embed"` must keep the members that this
// version does not know, because a newer version may have written them. Wire declares
// AWS's types inside V.
//
// Register panics if a record could be of two kinds, and after a store was opened.
func Register[V any](path string) *Kind[V] {
	k, indexes := newKind[V](path), new([]finder)
	k.hidden = newShelfHolder(k, indexes)
	registered.add(k)
	return &Kind[V]{k, indexes}
}

// registerIn is Register for a kind with tables of its own.
func registerIn[V any](path string, h *holder) *Kind[V] {
	k := newKind[V](path)
	h.slot = -1
	k.hidden = h
	registered.add(k)
	return &Kind[V]{k: k}
}

func newKind[V any](path string) *kind {
	k := &kind{
		path: path, parts: strings.Split(path, "/"), around: strings.Split(path, "*"), value: reflect.TypeFor[V](),
		decode: func(data []byte) (any, error) {
			v, err := decode[V](data)
			if err != nil {
				return nil, err
			}
			return v, nil
		},
	}
	k.change = ChangeKind{k}
	k.names = len(k.around) - 1
	for i, part := range k.parts {
		if part == "" || part != "*" && escape(part) != part || part != "*" && strings.Contains(part, "*") || i == 0 && part == "*" {
			panic(fmt.Sprintf("store: %q is no path of a kind", path))
		}
	}
	if k.names > maxNames || path == headKey {
		panic(fmt.Sprintf("store: %q is no path of a kind: it has at most %d names and is not %q", path, maxNames, headKey))
	}
	_, here, _, _ := runtime.Caller(0)
	for skip := 1; k.dir == ""; skip++ {
		_, file, _, ok := runtime.Caller(skip)
		if !ok {
			break
		}
		if file != here {
			k.dir = filepath.Dir(file)
		}
	}
	return k
}

// PartOf makes a kind's records parts of another kind's records. The feed reports a
// change of a part as a change of the other kind, with all names of the part. PartOf
// returns the kind.
func (k *Kind[V]) PartOf(owner ChangeKind) *Kind[V] {
	k.k.change = owner
	return k
}

// Changed returns the feed's name for changes of the kind's records.
func (k *Kind[V]) Changed() ChangeKind { return k.k.change }

// Key returns the key of a record. It panics if the number of names is wrong.
func (k *Kind[V]) Key(names ...string) Key[V] {
	escaped := k.k.escaped(names)
	return Key[V]{k.k, k.k.recordPath(escaped[:len(names)]), k.tableKey(names)}
}

// ownKey returns a key in a kind's own tables.
//
//go:noinline
func ownKey(k *kind, escaped Names) string { return holderOf(k).key(escaped) }

// Prefix returns the common beginning of the keys of all records of the kind with these
// first names. Tx.Unchanged and Snapshot.AllReadable need it. The keys of records that
// belong to those records begin with it, too.
func (k *Kind[V]) Prefix(names ...string) string { return k.k.prefix(names) }

// Members returns the common beginning of the keys of all records that belong to one
// record.
func (k *Kind[V]) Members(names ...string) string {
	escaped := k.k.escaped(names)
	return k.k.recordPath(escaped[:len(names)]) + "/"
}

// Get returns a record, nil if there is none. The caller must not change it.
func (k *Kind[V]) Get(s *Snapshot, names ...string) *V {
	v, _ := k.record(s, names)
	return v
}

func (k *Kind[V]) record(s *Snapshot, names []string) (*V, int64) {
	return Key[V]{kind: k.k, key: k.tableKey(names)}.in(s)
}

func (k *Kind[V]) tableKey(names []string) string {
	if len(names) != k.k.names {
		panic(fmt.Sprintf("store: %d names for a record of %s", len(names), k.k.path))
	}
	if k.indexes == nil {
		return ownKey(k.k, k.k.escaped(names))
	}
	return tableKey(names...)
}

// Written returns the revision at which a record was last written, as Snapshot.Revision
// counts, 0 if there is none.
func (k *Kind[V]) Written(s *Snapshot, names ...string) int64 {
	v, mod := k.record(s, names)
	if v == nil {
		return 0
	}
	return s.base + mod
}

// Range is a range of a kind's records.
type Range struct {
	Within []string // the first names, equal in all records
	Prefix string   // of the next name
	After  []string // the next names of the record before the range; nil: begin at the first record
}

// List yields the kind's records in a range, sorted by their names, byte by byte.
func (k *Kind[V]) List(s *Snapshot, r Range) iter.Seq2[Names, *V] {
	return func(yield func(Names, *V) bool) {
		k.scan(s, r, func(key string, v *V) bool { return yield(namesIn(key, k.k.names), v) })
	}
}

// ListWithin yields the records with these first names.
func (k *Kind[V]) ListWithin(s *Snapshot, names ...string) iter.Seq2[Names, *V] {
	return k.List(s, Range{Within: names})
}

// values yields the records of List without their names.
func (k *Kind[V]) values(s *Snapshot, r Range) iter.Seq[*V] {
	return func(yield func(*V) bool) { k.scan(s, r, func(_ string, v *V) bool { return yield(v) }) }
}

func (k *Kind[V]) scan(s *Snapshot, r Range, yield func(key string, v *V) bool) {
	within := ""
	if len(r.Within) > 0 {
		within = tableKey(r.Within...) + separator
	}
	after := ""
	if len(r.After) > 0 {
		after = within + tableKey(r.After...)
	}
	scanKind(s, k.k, within+inKey(r.Prefix), after, func(key string, v any) bool { return yield(key, v.(*V)) })
}

// Index finds records of a kind by a value.
type Index[V any] struct {
	of *Kind[V]
	n  int
}

// Index declares an index of the kind. values returns the values under which a record
// is found, none if it is not indexed. They must depend only on the record. Index
// panics after a store was opened.
func (k *Kind[V]) Index(values func(*V) []string) *Index[V] {
	if registered.isClosed() {
		panic("store: an index of " + k.k.path + " is declared after a store was opened")
	}
	*k.indexes = append(*k.indexes, func(record any) []string { return values(record.(*V)) })
	return &Index[V]{k, len(*k.indexes) - 1}
}

// Of yields the records under a value, sorted by their names. It begins after the
// record with the names `after`.
func (x *Index[V]) Of(s *Snapshot, value string, after ...string) iter.Seq2[Names, *V] {
	return func(yield func(Names, *V) bool) {
		scanIndex(s, x.of.k, x.n, value, tableKey(after...), func(key string, v any) bool {
			return yield(namesIn(key, x.of.k.names), v.(*V))
		})
	}
}

// Key is the key of a record of type V.
type Key[V any] struct {
	kind *kind
	path string // below the site's root
	key  string // in the kind's tables
}

func (k Key[V]) String() string { return k.path }

// in returns the record in a snapshot and its revision, nil if there is none.
func (k Key[V]) in(s *Snapshot) (*V, int64) {
	v, mod := recordAt(s, k.kind, k.key)
	if v == nil {
		return nil, 0
	}
	return v.(*V), mod
}
