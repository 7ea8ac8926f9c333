package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// rebalance launches tasks in the zones that have too few, once the service is
// steady. As they become healthy, scaleIn stops as many in the zones with the most
// tasks.
func (s *step) rebalance() {
	if !s.canRebalance() || s.state.SteadySince.IsZero() || s.own != s.desired || s.throttled {
		return
	}
	if s.delayed > 0 { // a new task in a better zone has ended early
		s.wakeAt(s.delayedUntil)
		return
	}
	zones := slices.Clone(s.in.Zones)
	slices.Sort(zones)
	zones = slices.Compact(zones)
	have, free := make([]int, len(zones)), make([]int, len(zones)) // free counts those of have that may be stopped
	elsewhere := 0                                                 // tasks in zones without hosts for new tasks
	for i, m := range s.marks {
		if !m.counts() {
			continue
		}
		if at, ok := slices.BinarySearch(zones, s.in.Tasks[i].Zone); ok {
			have[at]++
			if m.has(isProtected) {
				s.wakeAt(s.in.Tasks[i].ProtectedUntil)
			} else if s.in.Tasks[i].Host != HostAway { // the host could not be told to stop it
				free[at]++
			}
		} else {
			elsewhere++
		}
	}
	if slices.Max(have)-slices.Min(have) < 2 {
		if u := s.primary.Unplaced; u != nil && u.Zone != "" {
			s.unplacedResolved = true
		}
		return
	}
	if !s.unplacedResolved && s.isBlocked(s.primary) {
		return
	}
	first := s.primary.Unplaced == nil || s.unplacedResolved
	room := s.highest - s.live
	// Where the tasks don't divide evenly, the fullest zones keep one more each.
	total := s.live - elsewhere
	order := make([]int, len(zones))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(have[b], have[a]) })
	fair := func(rank int) int {
		if rank < total%len(zones) {
			return total/len(zones) + 1
		}
		return total / len(zones)
	}
	movable := 0
	for rank, z := range order {
		movable += max(0, min(have[z]-fair(rank), free[z]))
	}
	room = min(room, movable)
	for rank, z := range order {
		if n := min(fair(rank)-have[z], room); n > 0 {
			s.addLaunch(s.primary, n, zones[z])
			room -= n
		}
	}
	if first && len(s.out.Launches) > 0 {
		s.addEvent(unbalancedEvent(s.svc.Name, zones, have))
	}
}

func unbalancedEvent(service string, zones []string, have []int) Event {
	var b strings.Builder
	fmt.Fprintf(&b, "(service %s) is not AZ balanced with ", service)
	for i, z := range zones {
		switch {
		case i == 0:
		case i == len(zones)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d tasks in %s", have[i], z)
	}
	b.WriteString(". AZ Rebalancing in progress.")
	return Event{Message: b.String(), Type: info, Name: "SERVICE_REBALANCING_STARTED"}
}
