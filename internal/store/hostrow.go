package store

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// hostRow holds a container instance's records and the values derived from its tasks.
// Only updateHost changes it, and only while no snapshot shares it.
type hostRow struct {
	gen uint64 // generation of the tables' hosts when the row was made

	instance *fleet.Instance // also in tables.instances, which are ordered
	session  *fleet.InstanceSession
	health   *fleet.InstanceHealth
	guard    *Guard

	instanceMod, sessionMod, healthMod, guardMod int64

	usage     *fleet.Usage // read-only
	contested bool         // several tasks claim one port or GPU
	changed   int64        // revision of the newest change of the instance, its session or its usage
}

// noHost is the row of an unknown instance.
var noHost hostRow

// hostAt returns an instance's row. The caller must not change it.
func (t *tables) hostAt(cluster, id string) *hostRow {
	if r, ok := t.hosts.get(member{cluster, id}); ok {
		return r
	}
	return &noHost
}

// updateHost applies change to an instance's row. It copies the row first if a snapshot
// shares it.
func (t *tables) updateHost(key member, change func(*hostRow)) {
	r, ok := t.hosts.get(key)
	if !ok || r.gen != t.hosts.gen {
		is := &hostRow{}
		if ok {
			*is = *r
		}
		is.gen = t.hosts.gen
		t.hosts.set(key, is)
		r = is
	}
	change(r)
	if *r == (hostRow{gen: r.gen}) {
		t.hosts.delete(key)
	}
}

// applyHost returns the function that applies one of a host's records. part selects the
// record in the row.
func applyHost[V any](part func(*hostRow) (**V, *int64)) func(t *tables, key string, data []byte, mod int64) error {
	return func(t *tables, key string, data []byte, mod int64) error {
		var v *V
		at := int64(0)
		if data != nil {
			var err error
			if v, err = decode[V](data); err != nil {
				return err
			}
			at = mod
		}
		t.updateHost(memberOf(key), func(r *hostRow) {
			value, changed := part(r)
			*value, *changed = v, at
		})
		return nil
	}
}

// hostHolder returns the holder of one of a host's records. part selects the record in
// the row.
func hostHolder[V any](part func(*hostRow) (**V, *int64)) *holder {
	return &holder{
		key: joinNames, names: cutNames, apply: applyHost(part),
		get: func(t *tables, key string) (any, int64) {
			m := memberOf(key)
			v, mod := part(t.hostAt(m.cluster, m.id))
			return *v, *mod
		},
		rows: func(t *tables) iter.Seq2[string, int64] {
			type found struct {
				key string
				mod int64
			}
			var all []found
			for key, r := range t.hosts.all() {
				if _, at := part(r); *at != 0 {
					all = append(all, found{key.String(), *at})
				}
			}
			slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.key, b.key) })
			return func(yield func(string, int64) bool) {
				for _, f := range all {
					if !yield(f.key, f.mod) {
						return
					}
				}
			}
		},
	}
}

// memberOf parses the table key of a cluster's member.
func memberOf(key string) member {
	cluster, id, _ := strings.Cut(key, "/")
	return member{cluster, id}
}
