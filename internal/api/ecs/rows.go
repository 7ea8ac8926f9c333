package ecs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/fleet"
)

// Views returns ECS's resources as rows that can be watched. A row's value has the form
// in which Describe shows the resource, with everything that can be included. Its key
// is the last part of the resource's ARN: "default/0123…" for a task, "default" for a
// cluster.
//
// A scope is "" for all resources of a kind, a cluster's name for the resources of the
// cluster, and "CLUSTER/SERVICE" for a service and for its tasks.
func (s *Service) Views() []*rows.View {
	return []*rows.View{s.taskView(), s.serviceView(), s.instanceView(), s.clusterView()}
}

// parseScope returns the scope for the names and values of a Select. known has the
// names that the kind of rows accepts: cluster, and service. A service without a
// cluster belongs to the default cluster.
func (s *Service) parseScope(where map[string]string, known ...string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if !slices.Contains(known, name) {
			return "", fmt.Errorf("where has no %q; it may have %s", name, strings.Join(known, ", "))
		}
	}
	service := where["service"]
	if where["cluster"] == "" && service == "" {
		return "", nil
	}
	cluster, ok := s.site.ClusterName(where["cluster"])
	if !ok || !fleet.ValidName(cluster) {
		return "", fmt.Errorf("%q is no cluster of this installation", where["cluster"])
	}
	if service == "" {
		return cluster, nil
	}
	name, ok := s.serviceName(cluster, service)
	if !ok {
		return "", fmt.Errorf("%q is no service of the cluster %s", service, cluster)
	}
	return cluster + "/" + name, nil
}

// mayBeInScope reports whether a resource of a cluster may be in a scope, to judge by
// its key alone. The key does not name the service of a task. So a task may be in the
// scope of each of its cluster's services.
func mayBeInScope(key, scope string) bool {
	cluster, _, _ := strings.Cut(key, "/")
	in, _, _ := strings.Cut(scope, "/")
	return scope == "" || in == cluster
}

// clusterContext returns the values of the condition key ecs:cluster for a resource of a
// cluster.
func (s *Service) clusterContext(key, name string) []string {
	if name != "ecs:cluster" {
		return nil
	}
	cluster, _, _ := strings.Cut(key, "/")
	return []string{s.site.ClusterARN(cluster)}
}
