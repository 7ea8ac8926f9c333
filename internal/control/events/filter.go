package events

import (
	"slices"

	"github.com/ashore/ashore/internal/store"
)

// Filter selects events. The zero value selects all. A service or a task must belong
// to Cluster.
type Filter struct {
	Cluster     string   // name
	Service     string   // name: events of the service, its deployments and its tasks
	Task        string   // id
	DetailTypes []string // empty: all
}

func (f *Filter) wants(detailType string) bool {
	return len(f.DetailTypes) == 0 || slices.Contains(f.DetailTypes, detailType)
}

func (f *Filter) matchesCluster(m *store.Moment) bool {
	return f.Cluster == "" || m.Names[0] == f.Cluster
}

func (f *Filter) matchesTask(m *store.Moment) bool {
	if !f.matchesCluster(m) || f.Task != "" && m.Names[1] != f.Task {
		return false
	}
	return f.Service == "" || m.Is.Task != nil && m.Is.Task.Service() == f.Service
}

func (f *Filter) matchesInstance(m *store.Moment) bool {
	return f.matchesCluster(m) && f.Service == "" && f.Task == ""
}

func (f *Filter) matchesService(m *store.Moment) bool {
	return f.matchesCluster(m) && f.Task == "" && (f.Service == "" || m.Names[1] == f.Service)
}
