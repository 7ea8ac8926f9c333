package store

// Snapshot is the state at one revision. It is immutable and needs no lock.
type Snapshot struct {
	rev, base int64
	hidden    any // *tables: see tab
}

// tab returns a snapshot's tables. Their type hides behind any, and tab is neither a
// method nor inlined. A package that sees the type, even in a method's signature,
// compiles all of its generic maps. Every package that imports the store would do so, and
// each would need two seconds. TestTablesStayHidden in test/walls_test.go checks it.
//
//go:noinline
func tab(s *Snapshot) *tables { return s.hidden.(*tables) }

// Revision is the revision that the snapshot shows. It grows with every change, and
// also over a restore into another etcd.
func (s *Snapshot) Revision() int64 { return s.base + s.rev }

// Counts returns a cluster's derived numbers.
func (s *Snapshot) Counts(cluster string) ClusterCounts { c, _ := tab(s).counts.Get(cluster); return c }

// ProviderTasks counts the tasks of a capacity provider in a cluster that have not
// stopped. It includes tasks that wait for a host.
func (s *Snapshot) ProviderTasks(cluster, provider string) int {
	n, _ := tab(s).providerTasks.Get(cluster + "/" + provider)
	return n
}
