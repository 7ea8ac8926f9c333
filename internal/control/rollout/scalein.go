package rollout

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// scaleIn stops PRIMARY's tasks beyond the desired count, pending tasks first. It
// takes them from the zone with the most tasks, there from the instance with the most
// tasks, and there the newest. A service that packs takes them from the instance with
// the most room instead.
func (s *step) scaleIn() {
	n := s.own - s.desired
	if n <= 0 {
		return
	}
	if s.canRebalance() {
		// A new task in a better zone stays. The surplus task elsewhere stays until
		// the new one is healthy.
		for before := 0; s.own != before; {
			before = s.own
			for _, i := range s.pickSurplus(unhealthy, healthy, s.own-s.desired) {
				if s.marks[i].class() == healthy && (s.ownHealthy <= s.desired || s.healthy <= s.lowest) {
					break
				}
				s.stopSurplus(int(i))
			}
		}
		return
	}
	for class := pending; class <= healthy && n > 0; class++ {
		for _, i := range s.pickSurplus(class, class, n) {
			if class == healthy && s.healthy <= s.lowest {
				return // the other tasks are protected, or not healthy yet
			}
			s.stopSurplus(int(i))
			n--
		}
	}
}

// stopSurplus stops a task that is beyond the desired count.
func (s *step) stopSurplus(i int) {
	s.stopTask(i, reasonScaling(s.primary.ID))
	s.scalingIn = s.scalingIn || s.owner[i] == 0 && isReachable(&s.in.Tasks[i])
}

// isScalingIn reports whether a task of PRIMARY was beyond the desired count and is
// still ending. A task on a host that is out of contact does not count: its end may
// take long.
func (s *step) isScalingIn(t *Task) bool {
	return t.Stop && !t.hasStopped() && isReachable(t) && t.StopReason == reasonScaling(s.primary.ID)
}

func isReachable(t *Task) bool { return t.Host == HostOK || t.Host == HostDraining }

// candidate is a task that may be stopped. It is small so that it sorts fast.
type candidate struct {
	task           int32
	zone, instance int32 // numbers of their names
	away           int32 // 1 on a host out of contact: ECS stops nothing there while other tasks can be stopped
	// The task is stopped when its instance, and its zone, has come down to this many
	// tasks: a higher number is stopped earlier. For a service that packs, onInstance
	// is what is free on the instance, the same for all its tasks.
	onInstance, inZone int32
	deployment         uint8 // index of its deployment: newer ones are lower; unlisted, the oldest, converts to the highest
	serial             int64
	rank               int32 // position in the order so far
}

// byAge, byInstance and byZone order candidates. They run ten thousands of times.
// So they take pointers, which stay on the stack, and compare first what decides
// most often.

func byAge(a, b *candidate) int {
	switch {
	case a.deployment != b.deployment:
		return cmp.Compare(a.deployment, b.deployment)
	case a.serial != b.serial:
		return cmp.Compare(b.serial, a.serial)
	}
	return cmp.Compare(a.task, b.task)
}

func byInstance(a, b *candidate, packs bool) int {
	switch {
	case a.away != b.away:
		return cmp.Compare(a.away, b.away)
	case a.onInstance != b.onInstance:
		return cmp.Compare(b.onInstance, a.onInstance)
	case packs && a.instance != b.instance:
		return cmp.Compare(a.instance, b.instance)
	}
	return cmp.Compare(a.rank, b.rank)
}

func byZone(a, b *candidate) int {
	switch {
	case a.away != b.away:
		return cmp.Compare(a.away, b.away)
	case a.inZone != b.inZone:
		return cmp.Compare(b.inZone, a.inZone)
	}
	return cmp.Compare(a.rank, b.rank)
}

// pickSurplus returns up to n of PRIMARY's tasks, of the classes from … to, in the
// order in which they are to be stopped. The results are indexes of tasks.
func (s *step) pickSurplus(from, to mark, n int) []int32 {
	var (
		picks           []candidate
		zones, hosts    numbers
		inZone, onHosts []int32 // tasks, by number
	)
	for i, m := range s.marks {
		if !m.has(isOwn) || m.has(mustLeave) || !m.counts() {
			continue
		}
		t := &s.in.Tasks[i]
		zone, host := zones.numberOf(t.Zone), hosts.numberOf(t.Instance)
		inZone, onHosts = increment(inZone, zone), increment(onHosts, host)
		if c := m.class(); c < from || c > to {
			continue
		}
		if m.has(isProtected) {
			s.wakeAt(t.ProtectedUntil)
			continue
		}
		c := candidate{task: int32(i), zone: zone, instance: host, deployment: uint8(s.owner[i]), serial: t.Serial}
		if t.Host == HostAway {
			c.away = 1
		}
		picks = append(picks, c)
	}
	packs := s.svc.Packs
	slices.SortFunc(picks, func(a, b candidate) int { return byAge(&a, &b) })
	for i := range picks {
		p := &picks[i]
		p.rank = int32(i)
		if packs {
			p.onInstance = int32(s.in.Tasks[p.task].Spare)
			continue
		}
		p.onInstance = onHosts[p.instance]
		onHosts[p.instance]--
	}
	slices.SortFunc(picks, func(a, b candidate) int { return byInstance(&a, &b, packs) })
	for i := range picks {
		p := &picks[i]
		p.rank = int32(i)
		p.inZone = inZone[p.zone]
		inZone[p.zone]--
	}
	slices.SortFunc(picks, func(a, b candidate) int { return byZone(&a, &b) })
	out := make([]int32, min(n, len(picks)))
	for i := range out {
		out[i] = picks[i].task
	}
	return out
}

// numbers gives each name a number, from 0 on.
type numbers map[string]int32

func (n *numbers) numberOf(name string) int32 {
	if *n == nil {
		*n = numbers{}
	}
	k, ok := (*n)[name]
	if !ok {
		k = int32(len(*n))
		(*n)[name] = k
	}
	return k
}

func increment(counts []int32, k int32) []int32 {
	if int(k) == len(counts) {
		return append(counts, 1)
	}
	counts[k]++
	return counts
}

// canRebalance reports whether the service's tasks are to be spread evenly over zones
// now.
func (s *step) canRebalance() bool {
	return s.svc.Rebalance && s.svc.Strategy != types.SchedulingStrategyDaemon && len(s.in.Zones) > 1 && s.state.Rollout == types.DeploymentRolloutStateCompleted
}
