package store

import (
	"iter"
	"strings"
	"unique"

	"github.com/tidwall/btree"
)

// row is a record with the revision of its last change. All tables share this one type
// of row, so that the compiler builds the tree only once. The table knows the type of
// the record.
type row struct {
	value any
	mod   int64
}

// table is an ordered map of records, *V. A copy shares all nodes until one of the two
// changes.
type table[V any] struct{ rows btree.Map[string, row] }

func (t *table[V]) get(key string) (*V, int64) {
	r, ok := t.rows.Get(key)
	if !ok {
		return nil, 0
	}
	return r.value.(*V), r.mod
}

func (t *table[V]) set(key string, v *V, mod int64) { t.rows.Set(key, row{v, mod}) }

func (t *table[V]) copied() table[V] { return table[V]{*t.rows.Copy()} }

// scan yields all records in order.
func (t *table[V]) scan(yield func(key string, v *V, mod int64) bool) {
	t.rows.Scan(func(k string, r row) bool { return yield(k, r.value.(*V), r.mod) })
}

// revisions yields keys and revisions in the order of keys.
func (t *table[V]) revisions(yield func(key string, mod int64) bool) {
	t.rows.Scan(func(k string, r row) bool { return yield(k, r.mod) })
}

// put stores a record's value at a key. If data is nil it deletes the record.
func (t *table[V]) put(key string, data []byte, mod int64) error {
	if data == nil {
		t.rows.Delete(key)
		return nil
	}
	v, err := decode[V](data)
	if err != nil {
		return err
	}
	t.set(key, v, mod)
	return nil
}

// ascend yields the records whose key starts with prefix, in order. It begins after the
// key `after`.
func (t *table[V]) ascend(prefix, after string) iter.Seq2[string, *V] {
	return func(yield func(string, *V) bool) {
		t.rows.Ascend(max(prefix, after), func(k string, r row) bool {
			if k == after && after != "" {
				return true
			}
			return strings.HasPrefix(k, prefix) && yield(k, r.value.(*V))
		})
	}
}

// set is an index. It maps each value to the ids that have it, in order.
type set struct {
	btree.Map[string, *btree.Set[string]]
	// own holds the sets of ids that no copy of the index shares yet. Copies are
	// read-only.
	own map[*btree.Set[string]]struct{}
}

func (s *set) copied() set {
	clear(s.own)
	return set{Map: *s.Map.Copy()}
}

// update adds an id under a value, or removes it. A snapshot may share the set of ids,
// unless the tables are private, as they are during loading. update copies a shared set
// once for each snapshot, not for each change.
func (s *set) update(add, private bool, value, id string) {
	ids, ok := s.Get(value)
	if !ok && !add {
		return
	}
	owned := private
	if ok && !private {
		_, owned = s.own[ids]
	}
	switch {
	case !ok:
		ids = new(btree.Set[string])
	case !owned:
		ids = ids.Copy()
	}
	if !owned && !private {
		if s.own == nil {
			s.own = map[*btree.Set[string]]struct{}{}
		}
		s.own[ids] = struct{}{}
	}
	if add {
		ids.Insert(id)
	} else {
		ids.Delete(id)
	}
	if ids.Len() == 0 {
		delete(s.own, ids)
		s.Delete(value)
		return
	}
	if !ok || !owned {
		s.Set(unique.Make(value).Value(), ids)
	}
}

// of yields the ids under one value in order. It begins after the id `after`.
func (s *set) of(value, after string) iter.Seq[string] {
	return func(yield func(string) bool) {
		ids, ok := s.Get(value)
		if !ok {
			return
		}
		ids.Ascend(after, func(id string) bool { return id == after || yield(id) })
	}
}

// descend yields the ids under one value in descending order. It begins before the id
// `before`, or at the last id if `before` is empty.
func (s *set) descend(value, before string) iter.Seq[string] {
	return func(yield func(string) bool) {
		ids, ok := s.Get(value)
		switch {
		case !ok:
		case before == "":
			ids.Reverse(yield)
		default:
			ids.Descend(before, func(id string) bool { return id == before || yield(id) })
		}
	}
}

// has says whether an id is under a value.
func (s *set) has(value, id string) bool {
	ids, ok := s.Get(value)
	return ok && ids.Contains(id)
}
