package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

// Snapshot is the state at one revision. It is immutable and needs no lock.
type Snapshot struct {
	rev, base int64
	t         *tables
}

// Revision is the revision that the snapshot shows. It grows with every change,
// also over a restore into another etcd.
func (s *Snapshot) Revision() int64 { return s.base + s.rev }

// Cluster returns a cluster, or nil.
func (s *Snapshot) Cluster(name string) *fleet.Cluster { v, _ := s.t.clusters.get(name); return v }

// Clusters yields the clusters by name, from the one after `after` on.
func (s *Snapshot) Clusters(after string) iter.Seq2[string, *fleet.Cluster] {
	return s.t.clusters.below("", after)
}

// Counts returns a cluster's derived numbers.
func (s *Snapshot) Counts(cluster string) ClusterCounts { c, _ := s.t.counts.Get(cluster); return c }

// Instance returns a container instance, or nil.
func (s *Snapshot) Instance(cluster, id string) *fleet.Instance {
	v, _ := s.t.instances.get(cluster + "/" + id)
	return v
}

// Instances yields a cluster's container instances by id, INACTIVE ones too,
// from the one after id `after` on.
func (s *Snapshot) Instances(cluster, after string) iter.Seq[*fleet.Instance] {
	if after != "" {
		after = cluster + "/" + after
	}
	return values(s.t.instances.below(cluster+"/", after))
}

// InstancesRevision is the revision at which the record of any container instance
// last changed: one that registered or was drained, an attribute. That old ones
// were forgotten doesn't count.
func (s *Snapshot) InstancesRevision() int64 { return s.base + s.t.instancesMod }

// Session returns the record of an instance's connected agent, or nil where
// none is.
func (s *Snapshot) Session(cluster, id string) *fleet.InstanceSession {
	v, _ := s.t.sessions.get(cluster + "/" + id)
	return v
}

// InstanceHealth returns how an instance has last said it is, or nil.
func (s *Snapshot) InstanceHealth(cluster, id string) *fleet.InstanceHealth {
	v, _ := s.t.health.get(cluster + "/" + id)
	return v
}

// Sessions yields every session by "cluster/instance".
func (s *Snapshot) Sessions() iter.Seq2[string, *fleet.InstanceSession] {
	return s.t.sessions.below("", "")
}

// Usage sums what is reserved on an instance; nil is an idle one.
func (s *Snapshot) Usage(cluster, instance string) *fleet.Usage {
	u, _ := s.t.usage.Get(cluster + "/" + instance)
	return u
}

// Task returns a task, or nil.
func (s *Snapshot) Task(cluster, id string) *fleet.TaskState {
	r, ok := s.t.tasks.Get(cluster + "/" + id)
	if !ok || r.state.Task == nil {
		return nil
	}
	return &r.state
}

// Tasks yields a cluster's tasks by id, from the one after id `after` on.
func (s *Snapshot) Tasks(cluster, after string) iter.Seq[*fleet.TaskState] {
	prefix, first := cluster+"/", cluster+"/"+after
	return func(yield func(*fleet.TaskState) bool) {
		s.t.tasks.Ascend(first, func(k string, r *taskRow) bool {
			if len(k) < len(prefix) || k[:len(prefix)] != prefix {
				return false
			}
			if r.state.Task == nil || (after != "" && k == first) {
				return true
			}
			return yield(&r.state)
		})
	}
}

// WaitingTask returns a task that has no host yet, or nil.
func (s *Snapshot) WaitingTask(cluster, id string) *fleet.Task {
	v, _ := s.t.waiting.get(cluster + "/" + id)
	return v
}

// WaitingTasks yields a cluster's tasks without a host by id, from the one after
// id `after` on.
func (s *Snapshot) WaitingTasks(cluster, after string) iter.Seq[*fleet.Task] {
	if after != "" {
		after = cluster + "/" + after
	}
	return values(s.t.waiting.below(cluster+"/", after))
}

// ProviderTasks counts a cluster's tasks of a capacity provider that have not
// stopped, those that wait for a host too.
func (s *Snapshot) ProviderTasks(cluster, provider string) int {
	n, _ := s.t.providerTasks.Get(cluster + "/" + provider)
	return n
}

// CapacityProvider returns a capacity provider that someone has made, or nil.
func (s *Snapshot) CapacityProvider(name string) *fleet.CapacityProvider {
	v, _ := s.t.providers.get(name)
	return v
}

// CapacityProviders yields the capacity providers by name, from the one after
// `after` on.
func (s *Snapshot) CapacityProviders(after string) iter.Seq2[string, *fleet.CapacityProvider] {
	return s.t.providers.below("", after)
}

// AccountSettings returns the settings of a principal, by its ARN, or with ""
// the account's defaults; nil where none were chosen.
func (s *Snapshot) AccountSettings(principal string) *fleet.AccountSettings {
	v, _ := s.t.settings.get(settingsName(principal))
	return v
}

// TasksOn yields the tasks of an instance by id, stopped ones too.
func (s *Snapshot) TasksOn(cluster, instance string) iter.Seq[*fleet.TaskState] {
	return s.indexed(&s.t.tasksByInstance, cluster, cluster+"/"+instance, "")
}

// LiveTasks yields a cluster's tasks whose desired status is RUNNING by id, from
// the one after id `after` on.
func (s *Snapshot) LiveTasks(cluster, after string) iter.Seq[*fleet.TaskState] {
	return s.TasksWhere(cluster, TaskFilter{Desired: fleet.TaskRunning}, after)
}

func (s *Snapshot) indexed(index *set, cluster, value, after string) iter.Seq[*fleet.TaskState] {
	return func(yield func(*fleet.TaskState) bool) {
		for id := range index.of(value, after) {
			if t := s.Task(cluster, id); t != nil && !yield(t) {
				return
			}
		}
	}
}

// Reported is the revision at which a task's report was last written, 0 for
// none: the order in which tasks ended, whatever clocks say.
func (s *Snapshot) Reported(cluster, id string) int64 {
	r, ok := s.t.tasks.Get(cluster + "/" + id)
	if !ok {
		return 0
	}
	return r.reportMod
}

// Token returns what a clientToken brought about, or nil.
func (s *Snapshot) Token(cluster, hash string) *fleet.Token {
	v, _ := s.t.tokens.get(cluster + "/" + hash)
	return v
}

// Tokens yields a cluster's tokens by hash.
func (s *Snapshot) Tokens(cluster string) iter.Seq2[string, *fleet.Token] {
	return func(yield func(string, *fleet.Token) bool) {
		for k, v := range s.t.tokens.below(cluster+"/", "") {
			if !yield(k[len(cluster)+1:], v) {
				return
			}
		}
	}
}

// Family returns a family's counter, or nil.
func (s *Snapshot) Family(name string) *fleet.Family { v, _ := s.t.families.get(name); return v }

// Families yields the families by name, from the one after `after` on.
func (s *Snapshot) Families(after string) iter.Seq2[string, *fleet.Family] {
	return s.t.families.below("", after)
}

// TaskDefinition returns a revision and its changing part (nil while ACTIVE
// and untagged), or nil.
func (s *Snapshot) TaskDefinition(family string, revision int) (*fleet.TaskDefinition, *fleet.TaskDefinitionState) {
	key := revisionKey(family, revision)
	d, _ := s.t.definitions.get(key)
	st, _ := s.t.definitionStates.get(key)
	return d, st
}

// TaskDefinitions yields a family's revisions, the oldest first.
func (s *Snapshot) TaskDefinitions(family string) iter.Seq[*fleet.TaskDefinition] {
	return values(s.t.definitions.below(family+"/", ""))
}

// AccessKey returns an access key, or nil.
func (s *Snapshot) AccessKey(id string) *fleet.AccessKey { v, _ := s.t.accessKeys.get(id); return v }

// AccessKeys yields the access keys by id.
func (s *Snapshot) AccessKeys() iter.Seq[*fleet.AccessKey] {
	return values(s.t.accessKeys.below("", ""))
}

// Host returns a host's principal, or nil.
func (s *Snapshot) Host(name string) *fleet.Host { v, _ := s.t.hosts.get(name); return v }

// Election returns who leads under a name, or nil.
func (s *Snapshot) Election(name string) *Election { v, _ := s.t.elections.get(name); return v }

func values[V any](seq iter.Seq2[string, *V]) iter.Seq[*V] {
	return func(yield func(*V) bool) {
		for _, v := range seq {
			if !yield(v) {
				return
			}
		}
	}
}
