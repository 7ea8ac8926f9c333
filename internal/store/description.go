package store

import (
	"reflect"
	"slices"
	"strings"
)

// Description describes a kind of records without its Go type.
type Description struct {
	Path string // as registered
	Dir  string // of the source file that registers the kind
	k    *kind
}

// Kinds returns the kinds of records that this program knows, by path.
func Kinds() []Description {
	var all []Description
	for _, k := range registered.kinds {
		all = append(all, Description{k.path, k.dir, k})
	}
	slices.SortFunc(all, func(a, b Description) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// KindOf returns the kind of the record at a path below a site's root. ok is false if
// this program knows no such kind.
func KindOf(path string) (d Description, ok bool) {
	k, _ := locate(path)
	if k == nil {
		return d, false
	}
	return Description{k.path, k.dir, k}, true
}

// Names returns how many names a record has.
func (d Description) Names() int { return d.k.names }

// Key returns the path of a record below a site's root.
func (d Description) Key(names ...string) string {
	escaped := d.k.escaped(names)
	return d.k.recordPath(escaped[:len(names)])
}

// New returns a pointer to an empty record.
func (d Description) New() any { return reflect.New(d.k.value).Interface() }

// Decode decodes a stored record, as the store does.
func (d Description) Decode(data []byte) (record any, err error) { return d.k.decode(data) }

// Encode encodes a record, as the store does.
func (d Description) Encode(record any) ([]byte, error) { return marshal(record) }
