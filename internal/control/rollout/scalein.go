package rollout

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// scaleIn stops what PRIMARY has beyond the desired count: pending tasks first,
// then from the zone with the most, there from the instance with the most, there
// the newest.
func (s *step) scaleIn() {
	n := s.own - s.desired
	if n <= 0 {
		return
	}
	reason := reasonScaling(s.primary.ID)
	if s.rebalances() {
		// a new task in its better place stays, and the surplus one elsewhere until
		// that is healthy
		for _, i := range s.surplus(unhealthy, healthy, n) {
			if s.marks[i].class() == healthy && s.ownHealthy <= s.desired {
				return
			}
			s.stop(int(i), reason)
		}
		return
	}
	for class := pending; class <= healthy && n > 0; class++ {
		for _, i := range s.surplus(class, class, n) {
			s.stop(int(i), reason)
			n--
		}
	}
}

// surplus picks up to n of PRIMARY's tasks of some classes to go, in order.
func (s *step) surplus(from, to mark, n int) []int32 {
	var pick []int32
	for i, m := range s.marks {
		if c := m.class(); !m.is(isOwn) || m.is(leaves) || c < from || c > to {
			continue
		}
		if s.marks[i].is(fixed) {
			s.wake(s.in.Tasks[i].ProtectedUntil)
			continue
		}
		pick = append(pick, int32(i))
	}
	if len(pick) <= n && from == to {
		return pick
	}
	zones, instances := map[string]int{}, map[string]int{}
	for i, m := range s.marks {
		if m.is(isOwn) && !m.is(leaves) && m.counts() {
			zones[s.in.Tasks[i].Zone]++
			instances[s.in.Tasks[i].Instance]++
		}
	}
	newest := func(a, b int32) int {
		x, y := &s.in.Tasks[a], &s.in.Tasks[b]
		return cmp.Or(y.CreatedAt.Compare(x.CreatedAt), cmp.Compare(y.Serial, x.Serial), cmp.Compare(x.ID, y.ID))
	}
	// A task goes when its instance, and its zone, has come down to as many tasks
	// as these say: the higher, the earlier.
	onInstance, inZone := make([]int32, len(s.marks)), make([]int32, len(s.marks))
	slices.SortFunc(pick, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.in.Tasks[a].Instance, s.in.Tasks[b].Instance), newest(a, b))
	})
	for _, i := range pick {
		at := s.in.Tasks[i].Instance
		onInstance[i] = int32(instances[at])
		instances[at]--
	}
	slices.SortFunc(pick, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.in.Tasks[a].Zone, s.in.Tasks[b].Zone), cmp.Compare(onInstance[b], onInstance[a]), newest(a, b))
	})
	for _, i := range pick {
		at := s.in.Tasks[i].Zone
		inZone[i] = int32(zones[at])
		zones[at]--
	}
	away := func(i int32) int {
		if s.in.Tasks[i].Host == HostAway {
			return 1 // ECS scales nothing in there while others can go
		}
		return 0
	}
	slices.SortFunc(pick, func(a, b int32) int {
		return cmp.Or(cmp.Compare(away(a), away(b)), cmp.Compare(inZone[b], inZone[a]), cmp.Compare(onInstance[b], onInstance[a]), newest(a, b))
	})
	return pick[:min(n, len(pick))]
}

// rebalances says whether the service keeps its zones even.
func (s *step) rebalances() bool {
	return s.svc.Rebalance && len(s.in.Zones) > 1 && s.state.Rollout == types.DeploymentRolloutStateCompleted
}
