package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

// An instance's records lie joined in tables.hosts.
var (
	instances = registerIn[fleet.Instance]("cluster/*/instance/*", &holder{
		key: joinNames, names: cutNames, apply: applyInstance,
		get:  func(t *tables, key string) (any, int64) { v, mod := t.instances.get(key); return v, mod },
		rows: func(t *tables) iter.Seq2[string, int64] { return t.instances.revisions },
	})
	guards = registerIn[Guard]("cluster/*/instance/*/guard",
		hostHolder(func(r *hostRow) (**Guard, *int64) { return &r.guard, &r.guardMod }))
	sessions = registerIn[fleet.InstanceSession]("cluster/*/instance/*/session",
		hostHolder(func(r *hostRow) (**fleet.InstanceSession, *int64) { return &r.session, &r.sessionMod }))
	instanceHealths = registerIn[fleet.InstanceHealth]("cluster/*/instance/*/health",
		hostHolder(func(r *hostRow) (**fleet.InstanceHealth, *int64) { return &r.health, &r.healthMod }))
)

// These tell of a container instance's records: their names are the cluster and the
// instance's id.
var (
	InstanceChanged       = instances.Changed()
	GuardChanged          = guards.Changed()
	SessionChanged        = sessions.Changed()
	InstanceHealthChanged = instanceHealths.Changed()
)

// Guard is the value of a guard key: it says nothing, its revision everything.
type Guard struct{}

// InstanceKey names a container instance.
func InstanceKey(cluster, id string) Key[fleet.Instance] { return instances.Key(cluster, id) }

// HostGuard guards what is free on a container instance: whoever reserves there
// compares and rewrites it.
func HostGuard(cluster, id string) Key[Guard] { return guards.Key(cluster, id) }

// SessionKey names the record of an instance's connected agent.
func SessionKey(cluster, id string) Key[fleet.InstanceSession] { return sessions.Key(cluster, id) }

// InstanceHealthKey names how an instance has last said it is.
func InstanceHealthKey(cluster, id string) Key[fleet.InstanceHealth] {
	return instanceHealths.Key(cluster, id)
}

// Instance returns a container instance, or nil.
func (s *Snapshot) Instance(cluster, id string) *fleet.Instance {
	return tab(s).hostAt(cluster, id).instance
}

// Instances yields a cluster's container instances by id, INACTIVE ones too,
// from the one after id `after` on.
func (s *Snapshot) Instances(cluster, after string) iter.Seq[*fleet.Instance] {
	if after != "" {
		after = cluster + "/" + after
	}
	return values(tab(s).instances.ascend(cluster+"/", after))
}

// InstancesRevision is the revision at which the record of any container instance
// last changed: one that registered or was drained, an attribute. That old ones
// were forgotten doesn't count.
func (s *Snapshot) InstancesRevision() int64 { return s.base + tab(s).instancesMod }

// Session returns the record of an instance's connected agent, or nil where
// none is.
func (s *Snapshot) Session(cluster, id string) *fleet.InstanceSession {
	return tab(s).hostAt(cluster, id).session
}

// InstanceHealth returns how an instance has last said it is, or nil.
func (s *Snapshot) InstanceHealth(cluster, id string) *fleet.InstanceHealth {
	return tab(s).hostAt(cluster, id).health
}

// Sessions yields every session by "cluster/instance", in no order.
func (s *Snapshot) Sessions() iter.Seq2[string, *fleet.InstanceSession] {
	return func(yield func(string, *fleet.InstanceSession) bool) {
		for key, r := range tab(s).hosts.all() {
			if r.session != nil && !yield(key.String(), r.session) {
				return
			}
		}
	}
}

// Usage sums what is reserved on an instance; nil is an idle one.
func (s *Snapshot) Usage(cluster, instance string) *fleet.Usage {
	return tab(s).hostAt(cluster, instance).usage
}
