package store

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// hostRow joins what there is of a container instance: its records, and what is
// derived of its tasks. It is changed by host alone: no snapshot has it then.
type hostRow struct {
	gen uint64 // of the tables' hosts when it was made

	instance *fleet.Instance // in instances too, which have an order
	session  *fleet.InstanceSession
	health   *fleet.InstanceHealth
	guard    *Guard

	instanceMod, sessionMod, healthMod, guardMod int64

	usage     *fleet.Usage // never changed
	contested bool         // several tasks hold one port or GPU
	changed   int64        // revision of the newest change of the instance, its session or its usage
}

// noHost is what there is of an instance that is unknown.
var noHost hostRow

// hostAt returns what there is of an instance; it must not be changed.
func (t *tables) hostAt(cluster, id string) *hostRow {
	if r, ok := t.hosts.get(member{cluster, id}); ok {
		return r
	}
	return &noHost
}

// host has what there is of an instance changed.
func (t *tables) host(key member, change func(*hostRow)) {
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

// applyHost takes over one of a host's records, which part points out.
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
		t.host(memberOf(key), func(r *hostRow) {
			value, changed := part(r)
			*value, *changed = v, at
		})
		return nil
	}
}

// hostHolder holds one of a host's records, which part points out.
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

// memberOf reads a table key of a cluster's members.
func memberOf(key string) member {
	cluster, id, _ := strings.Cut(key, "/")
	return member{cluster, id}
}
