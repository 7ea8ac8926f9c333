package ecs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Views returns ECS's things as rows that can be watched. A row's value is what Describe
// answers of the thing with all that can be included, in the same form. Its key is the
// last part of the thing's ARN: "default/0123…" of a task, "default" of a cluster.
//
// A scope is "" for all things of a kind, a cluster's name for those of the cluster, and
// "CLUSTER/SERVICE" for a service and for its tasks.
func (s *Service) Views() []*rows.View {
	return []*rows.View{s.taskView(), s.serviceView(), s.instanceView(), s.clusterView()}
}

// parseScope reads how a reader narrows rows down, by the names that the kind of rows
// knows: cluster, and service. A service without a cluster is the default cluster's.
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

// mayBeInScope says whether a member of a cluster may be in a scope of all, or of the
// cluster's, members: which of these are a service's does not say the key.
func mayBeInScope(key, scope string) bool {
	cluster, _, _ := strings.Cut(key, "/")
	in, _, _ := strings.Cut(scope, "/")
	return scope == "" || in == cluster
}

// tagValues are the values of condition keys about a thing with tags in a cluster.
func (s *Service) tagValues(name, cluster string, tags []types.Tag) []string {
	if name == "ecs:cluster" {
		return []string{s.site.ClusterARN(cluster)}
	}
	key, ok := strings.CutPrefix(name, "aws:resourcetag/")
	if !ok {
		return nil
	}
	for _, t := range tags {
		if strings.EqualFold(aws.ToString(t.Key), key) {
			return []string{aws.ToString(t.Value)}
		}
	}
	return nil
}
