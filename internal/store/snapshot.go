package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

// Snapshot is the state at one revision. It is immutable and needs no lock.
type Snapshot struct {
	rev, base int64
	held      any // *tables: see tab
}

// tab returns a snapshot's tables. Their type hides behind any, and this is no
// method and not inlined: whoever sees the type, be it in a method's, compiles
// each of its generic maps whole, and every package that uses the store would.
//
//go:noinline
func tab(s *Snapshot) *tables { return s.held.(*tables) }

// Revision is the revision that the snapshot shows. It grows with every change,
// also over a restore into another etcd.
func (s *Snapshot) Revision() int64 { return s.base + s.rev }

// Cluster returns a cluster, or nil.
func (s *Snapshot) Cluster(name string) *fleet.Cluster { v, _ := tab(s).clusters.get(name); return v }

// Clusters yields the clusters by name, from the one after `after` on.
func (s *Snapshot) Clusters(after string) iter.Seq2[string, *fleet.Cluster] {
	return tab(s).clusters.below("", after)
}

// Counts returns a cluster's derived numbers.
func (s *Snapshot) Counts(cluster string) ClusterCounts { c, _ := tab(s).counts.Get(cluster); return c }

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
	return values(tab(s).instances.below(cluster+"/", after))
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

// Task returns a task, or nil.
func (s *Snapshot) Task(cluster, id string) *fleet.TaskState {
	r, ok := tab(s).tasks.Get(cluster + "/" + id)
	if !ok || r.state.Task == nil {
		return nil
	}
	return &r.state
}

// Tasks yields a cluster's tasks by id, from the one after id `after` on.
func (s *Snapshot) Tasks(cluster, after string) iter.Seq[*fleet.TaskState] {
	prefix, first := cluster+"/", cluster+"/"+after
	return func(yield func(*fleet.TaskState) bool) {
		tab(s).tasks.Ascend(first, func(k string, r *taskRow) bool {
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
	v, _ := tab(s).waiting.get(cluster + "/" + id)
	return v
}

// WaitingTasks yields a cluster's tasks without a host by id, from the one after
// id `after` on.
func (s *Snapshot) WaitingTasks(cluster, after string) iter.Seq[*fleet.Task] {
	if after != "" {
		after = cluster + "/" + after
	}
	return values(tab(s).waiting.below(cluster+"/", after))
}

// ProviderTasks counts a cluster's tasks of a capacity provider that have not
// stopped, those that wait for a host too.
func (s *Snapshot) ProviderTasks(cluster, provider string) int {
	n, _ := tab(s).providerTasks.Get(cluster + "/" + provider)
	return n
}

// CapacityProvider returns a capacity provider that someone has made, or nil.
func (s *Snapshot) CapacityProvider(name string) *fleet.CapacityProvider {
	v, _ := tab(s).providers.get(name)
	return v
}

// CapacityProviders yields the capacity providers by name, from the one after
// `after` on.
func (s *Snapshot) CapacityProviders(after string) iter.Seq2[string, *fleet.CapacityProvider] {
	return tab(s).providers.below("", after)
}

// AccountSettings returns the settings of a principal, by its ARN, or with ""
// the account's defaults; nil where none were chosen.
func (s *Snapshot) AccountSettings(principal string) *fleet.AccountSettings {
	v, _ := tab(s).settings.get(settingsName(principal))
	return v
}

// TasksOn yields the tasks of an instance by id, stopped ones too.
func (s *Snapshot) TasksOn(cluster, instance string) iter.Seq[*fleet.TaskState] {
	return indexed(s, &tab(s).tasksByInstance, cluster, cluster+"/"+instance, "")
}

// LiveTasks yields a cluster's tasks whose desired status is RUNNING by id, from
// the one after id `after` on.
func (s *Snapshot) LiveTasks(cluster, after string) iter.Seq[*fleet.TaskState] {
	return s.TasksWhere(cluster, TaskFilter{Desired: fleet.TaskRunning}, after)
}

func indexed(s *Snapshot, index *set, cluster, value, after string) iter.Seq[*fleet.TaskState] {
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
	r, ok := tab(s).tasks.Get(cluster + "/" + id)
	if !ok {
		return 0
	}
	return r.reportMod
}

// Token returns what a clientToken brought about, or nil.
func (s *Snapshot) Token(cluster, hash string) *fleet.Token {
	v, _ := tab(s).tokens.get(cluster + "/" + hash)
	return v
}

// TokenWritten is the revision at which that was written, 0 for none.
func (s *Snapshot) TokenWritten(cluster, hash string) int64 {
	v, mod := tab(s).tokens.get(cluster + "/" + hash)
	if v == nil {
		return 0
	}
	return s.base + mod
}

// Tokens yields a cluster's tokens by hash.
func (s *Snapshot) Tokens(cluster string) iter.Seq2[string, *fleet.Token] {
	return func(yield func(string, *fleet.Token) bool) {
		for k, v := range tab(s).tokens.below(cluster+"/", "") {
			if !yield(k[len(cluster)+1:], v) {
				return
			}
		}
	}
}

// Family returns a family's counter, or nil.
func (s *Snapshot) Family(name string) *fleet.Family { v, _ := tab(s).families.get(name); return v }

// Families yields the families by name, from the one after `after` on.
func (s *Snapshot) Families(after string) iter.Seq2[string, *fleet.Family] {
	return tab(s).families.below("", after)
}

// TaskDefinition returns a revision and its changing part (nil while ACTIVE
// and untagged), or nil.
func (s *Snapshot) TaskDefinition(family string, revision int) (*fleet.TaskDefinition, *fleet.TaskDefinitionState) {
	key := revisionKey(family, revision)
	d, _ := tab(s).definitions.get(key)
	st, _ := tab(s).definitionStates.get(key)
	return d, st
}

// TaskDefinitions yields a family's revisions, the oldest first.
func (s *Snapshot) TaskDefinitions(family string) iter.Seq[*fleet.TaskDefinition] {
	return values(tab(s).definitions.below(family+"/", ""))
}

// AccessKey returns an access key, or nil.
func (s *Snapshot) AccessKey(id string) *fleet.AccessKey { v, _ := tab(s).accessKeys.get(id); return v }

// AccessKeys yields the access keys by id.
func (s *Snapshot) AccessKeys() iter.Seq[*fleet.AccessKey] {
	return values(tab(s).accessKeys.below("", ""))
}

// Host returns a host's principal, or nil.
func (s *Snapshot) Host(name string) *fleet.Host { v, _ := tab(s).principals.get(name); return v }

// Election returns who leads under a name, or nil.
func (s *Snapshot) Election(name string) *Election { v, _ := tab(s).elections.get(name); return v }

func values[V any](seq iter.Seq2[string, *V]) iter.Seq[*V] {
	return func(yield func(*V) bool) {
		for _, v := range seq {
			if !yield(v) {
				return
			}
		}
	}
}
