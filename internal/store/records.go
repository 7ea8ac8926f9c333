package store

import (
	"iter"
	"slices"
	"strings"

	"github.com/tidwall/btree"
)

// records holds the records of one kind, with their indexes.
type records struct {
	rows    btree.Map[string, row]
	indexes []set // they hold table keys
}

func (r *records) copied() *records {
	is := &records{rows: *r.rows.Copy()}
	if len(r.indexes) > 0 {
		is.indexes = make([]set, len(r.indexes))
		for i := range r.indexes {
			is.indexes[i] = r.indexes[i].copied()
		}
	}
	return is
}

// shelf holds the records of the kinds that have no tables of their own, by slot. A
// copy of the shelf costs a pointer for each kind. It also costs a copy of a kind's
// tree if the kind's records have changed since the last copy.
type shelf struct {
	all []*records
	// copies holds the newest copy of each slot, nil if the slot's records have changed
	// since. A copied shelf has none: it is read-only.
	copies []*records
}

func newShelf(slots int) shelf {
	s := shelf{make([]*records, slots), make([]*records, slots)}
	for i := range s.all {
		s.all[i] = new(records)
	}
	return s
}

// writable returns the records of a slot for a change.
func (s *shelf) writable(slot int) *records {
	s.copies[slot] = nil
	return s.all[slot]
}

func (s *shelf) copied() shelf {
	for i, r := range s.all {
		if s.copies[i] == nil {
			s.copies[i] = r.copied()
		}
	}
	return shelf{all: slices.Clone(s.copies)}
}

// finder returns the values under which a record is found, besides its names.
type finder func(record any) (values []string)

// newShelfHolder returns the *holder of a kind that has no tables of its own. It returns
// an any to hide the type: see tab.
func newShelfHolder(k *kind, indexes *[]finder) (hidden any) {
	h := &holder{}
	h.key = func(names Names) string {
		for i, name := range names[:k.names] {
			if strings.IndexByte(name, '%') >= 0 {
				names[i], _ = unescape(name) // locate has checked the name
			}
		}
		return tableKey(names[:k.names]...)
	}
	h.names = func(key string) Names { return namesIn(key, k.names) }
	h.apply = func(t *tables, key string, data []byte, mod int64) error {
		var is any
		if data != nil {
			var err error
			if is, err = k.decode(data); err != nil {
				return err
			}
		}
		r := t.shelf.writable(h.slot)
		was, _ := r.rows.Get(key)
		if is == nil {
			r.rows.Delete(key)
		} else {
			r.rows.Set(key, row{is, mod})
		}
		for i, find := range *indexes {
			if len(r.indexes) <= i {
				r.indexes = append(r.indexes, set{})
			}
			r.indexes[i].updateValues(t.private, key, valuesOf(find, was.value), valuesOf(find, is))
		}
		return nil
	}
	h.get = func(t *tables, key string) (any, int64) {
		r, _ := t.shelf.all[h.slot].rows.Get(key)
		return r.value, r.mod
	}
	h.rows = func(t *tables) iter.Seq2[string, int64] {
		return func(yield func(string, int64) bool) {
			t.shelf.all[h.slot].rows.Scan(func(k string, r row) bool { return yield(k, r.mod) })
		}
	}
	return h
}

func valuesOf(find finder, record any) []string {
	if record == nil {
		return nil
	}
	return find(record)
}

// updateValues updates the values under which an id is found.
func (s *set) updateValues(private bool, id string, was, is []string) {
	for _, value := range was {
		if !slices.Contains(is, value) {
			s.update(false, private, value, id)
		}
	}
	for _, value := range is {
		if !slices.Contains(was, value) {
			s.update(true, private, value, id)
		}
	}
}

// scanKind yields the records of a kind whose table keys begin with prefix, in order. It
// begins after the key `after`. It is not inlined and not generic: see tab.
//
//go:noinline
func scanKind(s *Snapshot, k *kind, prefix, after string, yield func(key string, v any) bool) {
	tab(s).shelf.all[holderOf(k).slot].rows.Ascend(max(prefix, after), func(key string, r row) bool {
		if key == after && after != "" {
			return true
		}
		return strings.HasPrefix(key, prefix) && yield(key, r.value)
	})
}

// scanIndex yields a kind's records under a value of an index, in order. It begins after
// the table key `after`.
//
//go:noinline
func scanIndex(s *Snapshot, k *kind, index int, value, after string, yield func(key string, v any) bool) {
	r := tab(s).shelf.all[holderOf(k).slot]
	if index >= len(r.indexes) {
		return
	}
	for key := range r.indexes[index].of(value, after) {
		if v, ok := r.rows.Get(key); ok && !yield(key, v.value) {
			return
		}
	}
}

// recordAt returns a record and its revision. v is a typed nil pointer if there is no
// record.
//
//go:noinline
func recordAt(s *Snapshot, k *kind, key string) (v any, mod int64) {
	return holderOf(k).get(tab(s), key)
}

// recordIn returns the record at a table key and its revision, nil if there is none.
func recordIn[V any](t *tables, k *Kind[V], key string) (*V, int64) {
	v, mod := holderOf(k.k).get(t, key)
	if v == nil {
		return nil, 0
	}
	return v.(*V), mod
}

func decode[V any](data []byte) (*V, error) {
	v := new(V)
	if err := unmarshal(data, v); err != nil {
		return nil, err
	}
	return v, nil
}

// joinNames returns the key of two names in the tables of tasks, instances and hosts.
// ECS's names and ids need no escaping.
func joinNames(escaped Names) string { return escaped[0] + "/" + escaped[1] }

func cutNames(key string) (names Names) {
	names[0], names[1], _ = strings.Cut(key, "/")
	return names
}
