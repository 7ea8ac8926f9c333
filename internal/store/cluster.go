package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

var clusters = Register[fleet.Cluster]("cluster/*")

// ClusterChanged is the kind of changes of a cluster's record.
var ClusterChanged = clusters.Changed()

// Clusters is the prefix of every cluster and of all records that belong to one.
var Clusters = clusters.Prefix()

// ClusterKey names a cluster.
func ClusterKey(name string) Key[fleet.Cluster] { return clusters.Key(name) }

// ClusterMembers is the prefix of all records that belong to a cluster.
func ClusterMembers(name string) string { return clusters.Members(name) }

// Cluster returns a cluster, or nil.
func (s *Snapshot) Cluster(name string) *fleet.Cluster { return clusters.Get(s, name) }

// Clusters yields the clusters by name. It begins after the name `after`.
func (s *Snapshot) Clusters(after string) iter.Seq2[string, *fleet.Cluster] {
	return byName(clusters, s, after)
}

// byName yields the records of a kind that has one name. It begins after the name
// `after`.
func byName[V any](k *Kind[V], s *Snapshot, after string) iter.Seq2[string, *V] {
	return func(yield func(string, *V) bool) {
		for names, v := range k.List(s, rangeAfter(after)) {
			if !yield(names[0], v) {
				return
			}
		}
	}
}

// rangeAfter returns a range of records. Its next name comes after `after`, behind the
// names `within`.
func rangeAfter(after string, within ...string) Range {
	r := Range{Within: within}
	if after != "" {
		r.After = []string{after}
	}
	return r
}
