package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

// An instance's records lie together in tables.hosts.
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

// These are the kinds of changes of a container instance's records. Their names are the
// cluster and the instance's id.
var (
	InstanceChanged       = instances.Changed()
	GuardChanged          = guards.Changed()
	SessionChanged        = sessions.Changed()
	InstanceHealthChanged = instanceHealths.Changed()
)

// Guard is the value of a guard key. It is empty: only the key's revision matters.
type Guard struct{}

// InstanceKey names a container instance.
func InstanceKey(cluster, id string) Key[fleet.Instance] { return instances.Key(cluster, id) }

// HostGuard guards the free capacity of a container instance. A transaction that
// reserves capacity there compares and rewrites it.
func HostGuard(cluster, id string) Key[Guard] { return guards.Key(cluster, id) }

// SessionKey names the record of an instance's connected agent.
func SessionKey(cluster, id string) Key[fleet.InstanceSession] { return sessions.Key(cluster, id) }

// InstanceHealthKey names an instance's last reported health.
func InstanceHealthKey(cluster, id string) Key[fleet.InstanceHealth] {
	return instanceHealths.Key(cluster, id)
}

// Instance returns a container instance, or nil.
func (s *Snapshot) Instance(cluster, id string) *fleet.Instance {
	return tab(s).hostAt(cluster, id).instance
}

// Instances yields a cluster's container instances by id, including INACTIVE ones. It
// begins after the id `after`.
func (s *Snapshot) Instances(cluster, after string) iter.Seq[*fleet.Instance] {
	if after != "" {
		after = cluster + "/" + after
	}
	return func(yield func(*fleet.Instance) bool) { scanInstances(s, cluster+"/", after, yield) }
}

// scanInstances yields the instances whose table keys begin with prefix. It begins after
// the key `after`. It is not inlined: see tab.
//
//go:noinline
func scanInstances(s *Snapshot, prefix, after string, yield func(*fleet.Instance) bool) {
	for _, v := range tab(s).instances.ascend(prefix, after) {
		if !yield(v) {
			return
		}
	}
}

// InstancesRevision returns the revision of the last change of any container instance's
// record, such as a registration, a draining or an attribute. The removal of old
// instances doesn't count. It is not inlined: see tab.
//
//go:noinline
func (s *Snapshot) InstancesRevision() int64 { return s.base + tab(s).instancesMod }

// Session returns the record of an instance's connected agent, nil if none is
// connected.
func (s *Snapshot) Session(cluster, id string) *fleet.InstanceSession {
	return tab(s).hostAt(cluster, id).session
}

// InstanceHealth returns an instance's last reported health, or nil.
func (s *Snapshot) InstanceHealth(cluster, id string) *fleet.InstanceHealth {
	return tab(s).hostAt(cluster, id).health
}

// Sessions yields every session by "cluster/instance", in no particular order.
func (s *Snapshot) Sessions() iter.Seq2[string, *fleet.InstanceSession] {
	return func(yield func(string, *fleet.InstanceSession) bool) { scanSessions(s, yield) }
}

// scanSessions is not inlined: see tab.
//
//go:noinline
func scanSessions(s *Snapshot, yield func(string, *fleet.InstanceSession) bool) {
	for key, r := range tab(s).hosts.all() {
		if r.session != nil && !yield(key.String(), r.session) {
			return
		}
	}
}

// Usage returns the sum of the reservations on an instance. It returns nil for an idle
// instance.
func (s *Snapshot) Usage(cluster, instance string) *fleet.Usage {
	return tab(s).hostAt(cluster, instance).usage
}
