package store

import (
	"reflect"
	"slices"
	"strings"
)

// Description is what there is to know of a kind of records without its type.
type Description struct {
	Path string // as it was registered
	Dir  string // of the source file that registers it
	k    *kind
}

// Kinds are the kinds of records that this program knows, by path.
func Kinds() []Description {
	var all []Description
	for _, k := range registered.kinds {
		all = append(all, Description{k.path, k.dir, k})
	}
	slices.SortFunc(all, func(a, b Description) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// KindOf is the kind of the record at a path below a site's root; ok is false where
// this program knows none.
func KindOf(path string) (d Description, ok bool) {
	k, _ := locate(path)
	if k == nil {
		return d, false
	}
	return Description{k.path, k.dir, k}, true
}

// Names is how many names a record has.
func (d Description) Names() int { return d.k.names }

// Key is the path of a record below a site's root.
func (d Description) Key(names ...string) string {
	escaped := d.k.escaped(names)
	return d.k.at(escaped[:len(names)])
}

// New is a pointer to a record without a value.
func (d Description) New() any { return reflect.New(d.k.value).Interface() }

// Decode reads a stored record, as the store does.
func (d Description) Decode(data []byte) (record any, err error) { return d.k.decode(data) }

// Encode writes a record, as the store does.
func (d Description) Encode(record any) ([]byte, error) { return marshal(record) }
