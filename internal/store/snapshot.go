package store

import "iter"

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

// Counts returns a cluster's derived numbers.
func (s *Snapshot) Counts(cluster string) ClusterCounts { c, _ := tab(s).counts.Get(cluster); return c }

// ProviderTasks counts a cluster's tasks of a capacity provider that have not
// stopped, those that wait for a host too.
func (s *Snapshot) ProviderTasks(cluster, provider string) int {
	n, _ := tab(s).providerTasks.Get(cluster + "/" + provider)
	return n
}

func values[V any](seq iter.Seq2[string, *V]) iter.Seq[*V] {
	return func(yield func(*V) bool) {
		for _, v := range seq {
			if !yield(v) {
				return
			}
		}
	}
}
