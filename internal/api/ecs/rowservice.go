package ecs

import (
	"iter"
	"strings"

	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// serviceView shows services as DescribeServices does, but without their events, which
// StreamEvents sends. The desired number of tasks of a DAEMON service follows the
// cluster's hosts. If the service's constraints depend on the tasks that run on the
// hosts, a reader gets the new number only at the service's next change.
func (s *Service) serviceView() *rows.View {
	return &rows.View{
		Kind: "service",
		Scope: func(where map[string]string) (string, error) {
			return s.parseScope(where, "cluster", "service")
		},
		Keys: serviceKeys,
		Scopes: func(snap *store.Snapshot, key string) []string {
			cluster, name, _ := strings.Cut(key, "/")
			if snap.Service(cluster, name) == nil {
				return nil
			}
			return []string{"", cluster, key}
		},
		MayBeIn: func(key, scope string) bool {
			return scope == key || !strings.Contains(scope, "/") && mayBeInScope(key, scope)
		},
		Readable: func(snap *store.Snapshot, key string) error {
			cluster, name, _ := strings.Cut(key, "/")
			return store.Readable(snap, store.ServiceKey(cluster, name))
		},
		Describe: func(snap *store.Snapshot, key string) (any, error) {
			cluster, name, _ := strings.Cut(key, "/")
			out, err := s.serviceOut(snap, snap.Service(cluster, name), true)
			out.Events = []types.ServiceEvent{}
			return &out, err
		},
		Touches: map[store.ChangeKind]func(prev, next *store.Snapshot, names store.Names, touch func(string)){
			store.ServiceChanged: func(_, _ *store.Snapshot, names store.Names, touch func(string)) { touch(names[0] + "/" + names[1]) },
			store.TaskChanged: func(prev, next *store.Snapshot, names store.Names, touch func(string)) {
				if t := findTaskInEither(prev, next, names); t != nil && t.Service() != "" {
					touch(names[0] + "/" + t.Service())
				}
			},
			store.InstanceChanged: touchDaemonServices,
			store.SessionChanged:  touchDaemonServices,
		},
		Action: "ecs:DescribeServices",
		Resource: func(key string) string {
			cluster, name, _ := strings.Cut(key, "/")
			return s.site.ServiceARN(cluster, name)
		},
		Context: s.clusterContext,
	}
}

// serviceKeys yields the services of a scope. It includes deleted services until the
// store forgets them.
func serviceKeys(snap *store.Snapshot, scope string) iter.Seq[string] {
	return func(yield func(string) bool) {
		in, service, _ := strings.Cut(scope, "/")
		if service != "" {
			if snap.Service(in, service) != nil {
				yield(scope)
			}
			return
		}
		for cluster := range snap.Clusters("") {
			if in != "" && in != cluster {
				continue
			}
			for svc := range snap.Services(cluster, "") {
				if !yield(cluster + "/" + svc.Name) {
					return
				}
			}
		}
	}
}

// findTaskInEither returns a task from next, or from prev if next does not have it.
func findTaskInEither(prev, next *store.Snapshot, names store.Names) *fleet.TaskState {
	if t := lookup.Task(next, names[0], names[1]); t != nil {
		return t
	}
	return lookup.Task(prev, names[0], names[1])
}

// touchDaemonServices touches the active services of a cluster that run one task on
// each host.
func touchDaemonServices(_, next *store.Snapshot, names store.Names, touch func(string)) {
	for svc := range next.Services(names[0], "") {
		if svc.Scheduling == types.SchedulingStrategyDaemon && svc.Status == fleet.ServiceActive {
			touch(names[0] + "/" + svc.Name)
		}
	}
}
