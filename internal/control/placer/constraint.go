package placer

import (
	"iter"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/control/query"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxConstraints is ECS's limit for a task; it includes the constraints of its
// definition.
const maxConstraints = 10

// compileConstraints checks the placement constraints of a request.
func compileConstraints(in []types.PlacementConstraint) (placement.Constraints, error) {
	var out placement.Constraints
	if len(in) > maxConstraints {
		return out, refuse.Invalid("placementConstraints can have at most %d entries, not %d.", maxConstraints, len(in))
	}
	for i, c := range in {
		switch c.Type {
		case types.PlacementConstraintTypeDistinctInstance:
			if aws.ToString(c.Expression) != "" {
				return out, refuse.Invalid("placementConstraints[%d].expression can't be given with the type distinctInstance.", i)
			}
			out.Distinct = true
		case types.PlacementConstraintTypeMemberOf:
			e, err := query.ParseCached(aws.ToString(c.Expression))
			if err != nil {
				return out, refuse.Invalid("placementConstraints[%d].expression is invalid: %s.", i, err)
			}
			out.MemberOf = append(out.MemberOf, e)
		default:
			return out, refuse.Invalid("placementConstraints[%d].type must be distinctInstance or memberOf, not %q.", i, c.Type)
		}
	}
	return out, nil
}

// placementConstraints joins a task's own constraints with its definition's.
func placementConstraints(t *fleet.Task, def *sdk.RegisterTaskDefinitionInput) (placement.Constraints, error) {
	out, err := compileConstraints(t.Constraints)
	if err != nil {
		return out, err
	}
	if n := len(t.Constraints) + len(def.PlacementConstraints); n > maxConstraints {
		return out, refuse.Invalid("placementConstraints: a task can have at most %d constraints, not %d, the task definition's included.", maxConstraints, n)
	}
	out.Group = t.Group
	for _, c := range def.PlacementConstraints {
		e, err := query.ParseCached(aws.ToString(c.Expression))
		if err != nil {
			return out, refuse.Client("The task definition's placement constraint %q is invalid: %s.", aws.ToString(c.Expression), err)
		}
		out.MemberOf = append(out.MemberOf, e)
	}
	return out, nil
}

// hostOf returns a host for placement. groups are the groups of tasks that the
// snapshot does not show yet.
func hostOf(snap *store.Snapshot, i *fleet.Instance, groups []string) placement.Host {
	h := placement.Host{Instance: i, Agent: i.Runs(snap.Session(i.Cluster, i.ID)).Agent, Usage: snap.Usage(i.Cluster, i.ID), Groups: groupsOn(snap, i, groups)}
	if c := snap.Session(i.Cluster, i.ID); c != nil {
		h.Connected = true
		h.EngineAway = snap.InstanceHealth(i.Cluster, i.ID).EngineUnreachable()
	}
	return h
}

// groupsOn yields the groups of the tasks that are to run on a host, and then more. A
// task that is to stop does not count, as in ECS.
func groupsOn(snap *store.Snapshot, i *fleet.Instance, more []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for t := range snap.TasksOn(i.Cluster, i.ID) {
			if t.Desired() == fleet.TaskRunning && !yield(t.Group) {
				return
			}
		}
		slices.Values(more)(yield)
	}
}

// QueryView lets an expression read an instance. It looks a value up when the
// expression asks for it.
type QueryView struct {
	Snap *store.Snapshot
	*fleet.Instance
}

// Agent returns the version of the agent, and whether it is connected.
func (s *QueryView) Agent() (version string, connected bool) {
	c := s.Snap.Session(s.Cluster, s.ID)
	return s.Runs(c).Agent, c != nil
}

// RegisteredAt returns when the instance was first registered.
func (s *QueryView) RegisteredAt() time.Time { return s.Instance.RegisteredAt }

// RunningTasks counts the tasks that are RUNNING on the instance.
func (s *QueryView) RunningTasks() int {
	u := s.Snap.Usage(s.Cluster, s.ID)
	if u == nil {
		return 0
	}
	return u.Running
}

// Groups yields the groups of the tasks that are to run on the instance.
func (s *QueryView) Groups() iter.Seq[string] { return groupsOn(s.Snap, s.Instance, nil) }
