package store

import (
	"iter"
	"strings"
)

// paths yields the key of every record in the tables.
func (t *tables) paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for path := range t.records() {
			if !yield(path) {
				return
			}
		}
	}
}

// records yields the key and revision of every record in the tables.
func (t *tables) records() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		ok := each(&t.clusters, yield, func(k string) string { return "cluster/" + k }) &&
			each(&t.instances, yield, member("instance", "")) &&
			each(&t.guards, yield, member("instance", "/guard")) &&
			each(&t.sessions, yield, member("instance", "/session")) &&
			each(&t.tokens, yield, member("token", "")) &&
			each(&t.families, yield, func(k string) string { return "family/" + k }) &&
			each(&t.definitions, yield, func(k string) string { return "family/" + strings.Replace(k, "/", "/revision/", 1) }) &&
			each(&t.definitionStates, yield, func(k string) string {
				return "family/" + strings.Replace(k, "/", "/revision/", 1) + "/state"
			}) &&
			each(&t.accessKeys, yield, func(k string) string { return "accesskey/" + k }) &&
			each(&t.hosts, yield, func(k string) string { return "host/" + k })
		if !ok {
			return
		}
		path := member("task", "")
		t.tasks.Scan(func(k string, r *taskRow) bool {
			return (r.taskMod == 0 || yield(path(k), r.taskMod)) &&
				(r.stopMod == 0 || yield(path(k)+"/stop", r.stopMod)) &&
				(r.reportMod == 0 || yield(path(k)+"/report", r.reportMod))
		})
	}
}

func each[V any](t *table[V], yield func(string, int64) bool, path func(string) string) bool {
	ok := true
	t.Scan(func(k string, r row[V]) bool {
		ok = yield(path(k), r.mod)
		return ok
	})
	return ok
}

// member turns the table key "cluster/id" into "cluster/<cluster>/<kind>/<id><suffix>".
func member(kind, suffix string) func(string) string {
	return func(k string) string {
		cluster, id, _ := strings.Cut(k, "/")
		return "cluster/" + cluster + "/" + kind + "/" + id + suffix
	}
}

// mod returns the revision of the record at path, 0 where there is none.
func (t *tables) mod(path string) int64 {
	p := strings.Split(path, "/")
	switch {
	case p[0] == "cluster" && len(p) == 2:
		_, m := t.clusters.get(p[1])
		return m
	case p[0] == "cluster" && len(p) == 4 && p[2] == "token":
		_, m := t.tokens.get(p[1] + "/" + p[3])
		return m
	case p[0] == "cluster" && len(p) == 4 && p[2] == "instance":
		_, m := t.instances.get(p[1] + "/" + p[3])
		return m
	case p[0] == "cluster" && len(p) == 5 && p[2] == "instance" && p[4] == "guard":
		_, m := t.guards.get(p[1] + "/" + p[3])
		return m
	case p[0] == "cluster" && len(p) == 5 && p[2] == "instance" && p[4] == "session":
		_, m := t.sessions.get(p[1] + "/" + p[3])
		return m
	case p[0] == "cluster" && len(p) >= 4 && p[2] == "task":
		r, ok := t.tasks.Get(p[1] + "/" + p[3])
		switch {
		case !ok:
			return 0
		case len(p) == 4:
			return r.taskMod
		case p[4] == "stop":
			return r.stopMod
		}
		return r.reportMod
	case p[0] == "family" && len(p) == 2:
		_, m := t.families.get(p[1])
		return m
	case p[0] == "family" && len(p) == 4:
		_, m := t.definitions.get(p[1] + "/" + p[3])
		return m
	case p[0] == "family" && len(p) == 5:
		_, m := t.definitionStates.get(p[1] + "/" + p[3])
		return m
	case p[0] == "accesskey":
		_, m := t.accessKeys.get(p[1])
		return m
	case p[0] == "host" && len(p) == 2:
		_, m := t.hosts.get(p[1])
		return m
	}
	return 0
}
