package rollout

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

// replica keeps the desired count.
func (s *step) replica() {
	keeper := unlisted
	if s.failing() {
		keeper = s.keeper()
	}
	if keeper != unlisted && !s.leans {
		s.leans = true
		s.lean(keeper)
	}
	s.retire(keeper)
	s.scaleIn()
	s.keep(keeper)

	want := 0
	if s.state.Rollout != types.DeploymentRolloutStateFailed {
		want = max(0, s.desired-s.own)
	}
	if u := s.primary.Unplaced; u != nil && want == 0 && u.Zone == "" {
		s.placed = true
	}
	want = s.paced(want)
	if want > 0 && !s.throttled {
		short := want - (s.highest - s.live)
		if s.primary.Unplaced != nil {
			short = max(short, want) // the hosts have no room either
		}
		s.release(short, keeper)
	}
	if want > 0 && !s.throttled && !s.blocked(s.primary) {
		n := min(want, s.highest-s.live)
		if s.throttle.Rounds >= impairedAfter {
			n = min(n, probes-s.starting())
		}
		s.launch(s.primary, n, "")
	}
	s.keep(keeper) // in the room that PRIMARY has left
	s.tell()
}

// retire lets one task leave for each that has become healthy in its place. Once
// PRIMARY has FAILED what stands, stands, but for draining hosts.
func (s *step) retire(keeper int) {
	n := s.leaving
	if s.state.Rollout != types.DeploymentRolloutStateFailed {
		n -= max(0, s.desired-s.ownHealthy)
	}
	s.release(n, keeper)
}

// starting counts PRIMARY's tasks that don't run yet.
func (s *step) starting() int {
	n := 0
	for _, m := range s.marks {
		if m.class() == pending && m.is(isOwn) {
			n++
		}
	}
	return n
}

func (s *step) launch(d *Deployment, n int, zone string) {
	if n <= 0 {
		return
	}
	s.live += n
	if k := len(s.out.Launches) - 1; k >= 0 && s.out.Launches[k].Deployment == d.ID && zone == "" {
		s.out.Launches[k].Count += n
		return
	}
	s.out.Launches = append(s.out.Launches, Launch{Deployment: d.ID, Count: n, Zone: zone})
}

// release stops up to n of the tasks that have to leave, the worst first, as far
// as enough are left. Once PRIMARY has FAILED only draining hosts' tasks leave.
func (s *step) release(n, keeper int) {
	stays := s.state.Rollout == types.DeploymentRolloutStateFailed
	for class := unhealthy; class <= healthy && n > 0; class++ {
		for i := range s.marks {
			if n <= 0 {
				break
			}
			m := s.marks[i]
			if m.class() != class || !m.is(leaves) || stays && s.in.Tasks[i].Host != HostDraining {
				continue
			}
			if m.is(fixed) && class != unhealthy {
				s.wake(s.in.Tasks[i].ProtectedUntil)
				continue
			}
			switch {
			case class == healthy && s.healthy <= s.lowest:
				continue
			case class == young && (s.standing <= s.lowest || stays && s.running() <= s.lowest):
				continue
			case class == pending && keeper != unlisted && int(s.owner[i]) == keeper:
				if s.standing <= s.lowest {
					continue
				}
				s.standing--
			}
			n--
			s.stop(i, s.reason(i, m))
		}
	}
}

// reason says why a task has to leave.
func (s *step) reason(i int, m mark) string {
	t := &s.in.Tasks[i]
	failed := s.state.Rollout == types.DeploymentRolloutStateFailed
	switch {
	case failed && t.Host == HostDraining && m.class() != unhealthy:
		return reasonDraining(s.svc.Name, t.Instance)
	case !m.is(isOwn):
		return reasonScaling(s.primary.ID)
	case m.class() == unhealthy:
		s.event(unhealthyTask(s.svc.Name, t.ID))
		if s.owner[i] == 0 && s.blames(t) {
			s.failures++
		}
		return ReasonUnhealthy
	}
	return reasonDraining(s.svc.Name, t.Instance)
}

// lean counts the keeper's pending tasks among those that stand: while PRIMARY
// fails they are what the service relies on.
func (s *step) lean(keeper int) {
	for i, m := range s.marks {
		if m.class() == pending && int(s.owner[i]) == keeper {
			s.standing++
		}
	}
}

// running counts the tasks that run and are not known to be unhealthy.
func (s *step) running() int {
	n := 0
	for _, m := range s.marks {
		if c := m.class(); c == young || c == healthy {
			n++
		}
	}
	return n
}

// replaced counts those that stand and, on draining hosts, have to leave although
// PRIMARY, which has FAILED, launches nothing in their place.
func (s *step) replaced(keeper int) int {
	n := 0
	if s.state.Rollout != types.DeploymentRolloutStateFailed {
		return n
	}
	for i, m := range s.marks {
		if s.in.Tasks[i].Host != HostDraining || !m.is(leaves) || m.is(fixed) {
			continue
		}
		if c := m.class(); c > pending || c == pending && int(s.owner[i]) == keeper {
			n++
		}
	}
	return n
}

// keep launches tasks of the deployment before PRIMARY, up to the minimum, in place
// of worse ones and of those on draining hosts.
func (s *step) keep(keeper int) {
	for keeper != unlisted {
		d := &s.in.Deployments[keeper]
		n := s.lowest - s.standing + s.replaced(keeper)
		if held, until := d.Crashes.Held(s.in.Now); n > 0 && held > 0 {
			s.wake(until)
			n -= held
		}
		n = min(n, s.highest-s.live)
		if n <= 0 || s.blocked(d) {
			return
		}
		if th := s.rounds(keeper, s.lastRan(keeper)); s.in.Now.Before(th.NextTry) {
			s.wake(th.NextTry)
			return
		}
		s.launch(d, n, "")
		s.kept[keeper] += n
		s.standing += n
		s.leaving += n
		s.retire(keeper)
	}
}
