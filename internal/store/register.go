package store

import (
	"fmt"
	"iter"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// Kind is a kind of stored record: *V at one path. A room declares each of its kinds
// in a package variable, and all that the store does with them follows from that: keys,
// snapshots, the feed, backups, the check that records of earlier versions can be read.
type Kind[V any] struct {
	k       *kind
	indexes *[]finder
}

// Register declares a kind. Its path is the key of a record below the site's root, with
// a "*" for each name, as in "logs/group/*" or "logs/group/*/stream/*". A name may be
// any text, "" and one with slashes included: it is escaped in the key.
//
// V is a struct that keeps members it does not know, in one that is tagged
// `json:",embed"`: a newer version may have written them. AWS's own types in it are
// declared by Wire.
//
// Register panics where a record could be of two kinds, and once a store is open.
func Register[V any](path string) *Kind[V] {
	k, indexes := newKind[V](path), new([]finder)
	k.held = shelved(k, indexes)
	registered.add(k)
	return &Kind[V]{k, indexes}
}

// registerIn is Register of a kind with tables of its own.
func registerIn[V any](path string, h *holder) *Kind[V] {
	k := newKind[V](path)
	h.slot = -1
	k.held = h
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

// PartOf makes a kind's records parts of another kind's: a change of one is told as a
// change of that, with all names of the part. It returns the kind.
func (k *Kind[V]) PartOf(thing ChangeKind) *Kind[V] {
	k.k.change = thing
	return k
}

// Changed is what the feed says of a change of the kind's records.
func (k *Kind[V]) Changed() ChangeKind { return k.k.change }

// Key names a record. It panics where the kind has more names or fewer.
func (k *Kind[V]) Key(names ...string) Key[V] {
	escaped := k.k.escaped(names)
	return Key[V]{k.k, k.k.at(escaped[:len(names)]), k.tableKey(names)}
}

// ownKey is a key in a kind's own tables.
//
//go:noinline
func ownKey(k *kind, escaped Names) string { return k.holder().key(escaped) }

// Prefix is the beginning of the keys of all records of the kind whose first names are
// these: what Tx.Unchanged and Snapshot.AllReadable ask for. Records that belong to
// those begin with it too.
func (k *Kind[V]) Prefix(names ...string) string { return k.k.below(names) }

// Members is the beginning of the keys of all that belongs to one record.
func (k *Kind[V]) Members(names ...string) string {
	escaped := k.k.escaped(names)
	return k.k.at(escaped[:len(names)]) + "/"
}

// Get returns a record, nil where there is none. It must not be changed.
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

// Written is the revision at which a record was last written, as Snapshot.Revision
// counts, 0 where there is none.
func (k *Kind[V]) Written(s *Snapshot, names ...string) int64 {
	v, mod := k.record(s, names)
	if v == nil {
		return 0
	}
	return s.base + mod
}

// Range is a part of a kind's records.
type Range struct {
	Within []string // the first names of all
	Prefix string   // of the name behind those
	After  []string // the names behind Within of the record that comes before; nil: from the first on
}

// List yields the kind's records in a range in the order of their names, byte by byte.
func (k *Kind[V]) List(s *Snapshot, r Range) iter.Seq2[Names, *V] {
	return func(yield func(Names, *V) bool) {
		k.scan(s, r, func(key string, v *V) bool { return yield(namesIn(key, k.k.names), v) })
	}
}

// Below yields the records whose first names are these.
func (k *Kind[V]) Below(s *Snapshot, names ...string) iter.Seq2[Names, *V] {
	return k.List(s, Range{Within: names})
}

// values yields the records of List alone.
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
	ascend(s, k.k, within+inKey(r.Prefix), after, func(key string, v any) bool { return yield(key, v.(*V)) })
}

// Index is what records of a kind are found by beside their names.
type Index[V any] struct {
	of *Kind[V]
	n  int
}

// Index declares an index of the kind: values are what a record is found under, none
// where it is not. They must follow from the record alone. It panics once a store is
// open.
func (k *Kind[V]) Index(values func(*V) []string) *Index[V] {
	if registered.isClosed() {
		panic("store: an index of " + k.k.path + " is declared after a store was opened")
	}
	*k.indexes = append(*k.indexes, func(record any) []string { return values(record.(*V)) })
	return &Index[V]{k, len(*k.indexes) - 1}
}

// Of yields the records under a value in the order of their names, from the one behind
// the record with the names of `after` on.
func (x *Index[V]) Of(s *Snapshot, value string, after ...string) iter.Seq2[Names, *V] {
	return func(yield func(Names, *V) bool) {
		indexed(s, x.of.k, x.n, value, tableKey(after...), func(key string, v any) bool {
			return yield(namesIn(key, x.of.k.names), v.(*V))
		})
	}
}

// Key names a record of type V.
type Key[V any] struct {
	kind *kind
	path string // below the site's root
	key  string // in the kind's tables
}

func (k Key[V]) String() string { return k.path }

// in returns the record as a snapshot has it, nil where it has none.
func (k Key[V]) in(s *Snapshot) (*V, int64) {
	v, mod := recordAt(s, k.kind, k.key)
	if v == nil {
		return nil, 0
	}
	return v.(*V), mod
}
