package store

import (
	"iter"
	"strings"

	"github.com/tidwall/btree"
)

// row is a record with the revision of its last change.
type row[V any] struct {
	value *V
	mod   int64
}

// table is an ordered map of records. Its copy shares everything until either
// changes.
type table[V any] struct{ btree.Map[string, row[V]] }

func (t *table[V]) get(key string) (*V, int64) {
	r, _ := t.Get(key)
	return r.value, r.mod
}

func (t *table[V]) copied() table[V] { return table[V]{*t.Map.Copy()} }

// below yields the records whose key starts with prefix, from the key after
// `after` on, in order.
func (t *table[V]) below(prefix, after string) iter.Seq2[string, *V] {
	return func(yield func(string, *V) bool) {
		t.Ascend(max(prefix, after), func(k string, r row[V]) bool {
			if k == after && after != "" {
				return true
			}
			return strings.HasPrefix(k, prefix) && yield(k, r.value)
		})
	}
}

// set is an ordered set of index entries "<value>\x00<id>".
type set struct{ btree.Set[string] }

func (s *set) copied() set { return set{*s.Set.Copy()} }

// of yields the ids under one index value.
func (s *set) of(value string) iter.Seq[string] {
	prefix := value + "\x00"
	return func(yield func(string) bool) {
		s.Ascend(prefix, func(k string) bool {
			return strings.HasPrefix(k, prefix) && yield(k[len(prefix):])
		})
	}
}
