package store

import (
	"iter"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// kind is a kind of stored record: where its keys lie and how the tables take
// it in.
type kind struct {
	path   []string // "*" stands for a name
	change ChangeKind
	byID   bool // a single name is Change's ID, not its Cluster
	// apply takes over the value at the table key, or its deletion where data is
	// nil. It changes nothing where it returns an error: the value can't be decoded.
	apply func(t *tables, key string, data []byte, mod int64) error
	// rows yields table keys and revisions in order of keys.
	rows func(t *tables) iter.Seq2[string, int64]
}

// kinds are all records below a site's root. The names of a path, joined by
// slashes, are the table key.
var kinds = []kind{
	{path: path("cluster/*/task/*"), change: TaskChanged,
		apply: applyTask(func(r *taskRow) (**fleet.Task, *int64) { return &r.state.Task, &r.taskMod }),
		rows:  taskRows(func(r *taskRow) int64 { return r.taskMod })},
	{path: path("cluster/*/task/*/stop"), change: TaskChanged,
		apply: applyTask(func(r *taskRow) (**fleet.TaskStop, *int64) { return &r.state.Stop, &r.stopMod }),
		rows:  taskRows(func(r *taskRow) int64 { return r.stopMod })},
	{path: path("cluster/*/task/*/report"), change: TaskChanged,
		apply: applyTask(func(r *taskRow) (**fleet.TaskReport, *int64) { return &r.state.Report, &r.reportMod }),
		rows:  taskRows(func(r *taskRow) int64 { return r.reportMod })},
	{path: path("cluster/*/task/*/amendment"), change: TaskChanged,
		apply: applyTask(func(r *taskRow) (**fleet.TaskAmendment, *int64) { return &r.state.Amendment, &r.amendMod }),
		rows:  taskRows(func(r *taskRow) int64 { return r.amendMod })},
	{path: path("cluster/*/task/*/health"), change: TaskChanged,
		apply: applyTask(func(r *taskRow) (**fleet.TaskHealth, *int64) { return &r.state.Health, &r.healthMod }),
		rows:  taskRows(func(r *taskRow) int64 { return r.healthMod })},
	{path: path("cluster/*/waiting/*"), change: TaskChanged,
		apply: applyWaiting, rows: rows(func(t *tables) *table[fleet.Task] { return &t.waiting })},
	{path: path("cluster/*/instance/*"), change: InstanceChanged,
		apply: applyInstance, rows: rows(func(t *tables) *table[fleet.Instance] { return &t.instances })},
	{path: path("cluster/*/instance/*/guard"), change: GuardChanged,
		apply: applyHost(func(r *hostRow) (**Guard, *int64) { return &r.guard, &r.guardMod }),
		rows:  hostRows(func(r *hostRow) int64 { return r.guardMod })},
	{path: path("cluster/*/instance/*/session"), change: SessionChanged,
		apply: applyHost(func(r *hostRow) (**fleet.InstanceSession, *int64) { return &r.session, &r.sessionMod }),
		rows:  hostRows(func(r *hostRow) int64 { return r.sessionMod })},
	{path: path("cluster/*/instance/*/health"), change: InstanceHealthChanged,
		apply: applyHost(func(r *hostRow) (**fleet.InstanceHealth, *int64) { return &r.health, &r.healthMod }),
		rows:  hostRows(func(r *hostRow) int64 { return r.healthMod })},
	plain("cluster/*/service/*", ServiceChanged, func(t *tables) *table[fleet.Service] { return &t.services }),
	plain("cluster/*/service/*/state", ServiceChanged, func(t *tables) *table[fleet.ServiceState] { return &t.serviceStates }),
	plain("cluster/*/service/*/revision/*", ServiceChanged, func(t *tables) *table[fleet.ServiceRevision] { return &t.serviceRevisions }),
	plain("cluster/*/service/*/event/*", ServiceChanged, func(t *tables) *table[fleet.ServiceEvent] { return &t.serviceEvents }),
	plain("cluster/*/service/*/deployment/*", ServiceChanged, func(t *tables) *table[fleet.Deployment] { return &t.deployments }),
	plain("cluster/*/service/*/deployment/*/state", ServiceChanged, func(t *tables) *table[fleet.DeploymentState] { return &t.deploymentStates }),
	plain("cluster/*/service/*/deployment/*/stop", ServiceChanged, func(t *tables) *table[fleet.DeploymentStop] { return &t.deploymentStops }),
	plain("cluster/*/token/*", TokenChanged, func(t *tables) *table[fleet.Token] { return &t.tokens }),
	plain("cluster/*", ClusterChanged, func(t *tables) *table[fleet.Cluster] { return &t.clusters }),
	named(plain("capacityprovider/*", CapacityProviderChanged, func(t *tables) *table[fleet.CapacityProvider] { return &t.providers })),
	named(plain("accountsettings/*", AccountSettingsChanged, func(t *tables) *table[fleet.AccountSettings] { return &t.settings })),
	plain("family/*", TaskDefinitionChanged, func(t *tables) *table[fleet.Family] { return &t.families }),
	{path: path("family/*/revision/*"), change: TaskDefinitionChanged,
		apply: applyRevision(func(t *tables) *table[fleet.TaskDefinition] { return &t.definitions }),
		rows:  rows(func(t *tables) *table[fleet.TaskDefinition] { return &t.definitions })},
	{path: path("family/*/revision/*/state"), change: TaskDefinitionChanged,
		apply: applyRevision(func(t *tables) *table[fleet.TaskDefinitionState] { return &t.definitionStates }),
		rows:  rows(func(t *tables) *table[fleet.TaskDefinitionState] { return &t.definitionStates })},
	named(plain("accesskey/*", AccessKeyChanged, func(t *tables) *table[fleet.AccessKey] { return &t.accessKeys })),
	named(plain("host/*", HostChanged, func(t *tables) *table[fleet.Host] { return &t.principals })),
	named(plain("election/*", ElectionChanged, func(t *tables) *table[Election] { return &t.elections })),
	plain(restoredPath, RestoredChanged, func(t *tables) *table[fleet.Restored] { return &t.restored }), // its table key is empty
}

func path(s string) []string { return strings.Split(s, "/") }

func plain[V any](p string, c ChangeKind, of func(*tables) *table[V]) kind {
	return kind{path: path(p), change: c, rows: rows(of),
		apply: func(t *tables, key string, data []byte, mod int64) error {
			return put(of(t), key, data, mod)
		}}
}

func named(k kind) kind {
	k.byID = true
	return k
}

// locate finds the kind of the record at a path below the root, nil where a
// newer server wrote what is not ours to read, and the names in the path.
func locate(path string) (k *kind, names [3]string) {
	var p [7]string
	n, rest, more := 0, path, true
	for more {
		if n == len(p) {
			return nil, names
		}
		p[n], rest, more = strings.Cut(rest, "/")
		n++
	}
find:
	for i := range kinds {
		k := &kinds[i]
		if len(k.path) != n {
			continue
		}
		at := 0
		for j, want := range k.path {
			switch {
			case want == "*":
				names[at] = p[j]
				at++
			case want != p[j]:
				continue find
			}
		}
		return k, names
	}
	return nil, names
}

// changed names a record of the kind.
func (k *kind) changed(names [3]string) Change {
	if k.byID {
		return Change{k.change, "", names[0]}
	}
	return Change{k.change, names[0], names[1]}
}

// changedAt names the record at a table key.
func (k *kind) changedAt(key string) Change {
	var names [3]string
	names[0], names[1], _ = strings.Cut(key, "/")
	names[1], names[2], _ = strings.Cut(names[1], "/")
	return k.changed(names)
}

// apply takes over one record's new value, or its deletion where data is nil.
// path is the key below the site's root. The error is take's.
func (t *tables) apply(path string, data []byte, mod int64) (Change, error) {
	k, names := locate(path)
	if k == nil {
		return Change{Kind: UnknownChanged}, nil
	}
	return k.changed(names), t.take(k, names, path, data, mod)
}

// take is apply for a record that is located. The error says that the record can't
// be read: it is set aside, and the tables have nothing of it.
func (t *tables) take(k *kind, names [3]string, path string, data []byte, mod int64) (broken error) {
	key := names[0]
	for _, n := range names[1:] {
		if n != "" {
			key += "/" + n
		}
	}
	if broken = t.torn.of(path, mod); broken == nil {
		broken = k.apply(t, key, data, mod)
	}
	switch {
	case broken != nil:
		// Its former value is no more.
		if err := k.apply(t, key, nil, mod); err != nil {
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
		t.host(memberOf(key), func(r *hostRow) { r.changed = 0 })
	case k.change == InstanceChanged, k.change == SessionChanged:
		t.touchInstance(memberOf(key), mod)
	}
	return broken
}

func put[V any](t *table[V], key string, data []byte, mod int64) error {
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

func decode[V any](data []byte) (*V, error) {
	v := new(V)
	if err := unmarshal(data, v); err != nil {
		return nil, err
	}
	return v, nil
}

func rows[V any](of func(*tables) *table[V]) func(*tables) iter.Seq2[string, int64] {
	return func(t *tables) iter.Seq2[string, int64] {
		return func(yield func(string, int64) bool) {
			of(t).rows.Scan(func(k string, r row) bool { return yield(k, r.mod) })
		}
	}
}

func taskRows(mod func(*taskRow) int64) func(*tables) iter.Seq2[string, int64] {
	return func(t *tables) iter.Seq2[string, int64] {
		return func(yield func(string, int64) bool) {
			t.tasks.Scan(func(k string, r *taskRow) bool { return mod(r) == 0 || yield(k, mod(r)) })
		}
	}
}

// diff lists the records that differ between two states.
func diff(was, is *tables) []Change {
	var changes []Change
	for i := range kinds {
		k := &kinds[i]
		nextOld, stopOld := iter.Pull2(k.rows(was))
		nextNew, stopNew := iter.Pull2(k.rows(is))
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
