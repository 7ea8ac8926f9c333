package rollout

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

// stepReplica keeps the desired count of tasks.
func (s *step) stepReplica() {
	fallback := unlisted
	if s.isFailing() {
		fallback = s.findFallback()
	}
	if fallback != unlisted && !s.fallbackCounted {
		s.fallbackCounted = true
		s.countFallbackPending(fallback)
	}
	s.stopReplaced(fallback)
	s.scaleIn()
	s.launchFallback(fallback)

	want := 0
	if s.state.Rollout != types.DeploymentRolloutStateFailed {
		want = max(0, s.desired-s.own)
	}
	if u := s.primary.Unplaced; u != nil && want == 0 && u.Zone == "" {
		s.unplacedResolved = true
	}
	want = s.limitByDelays(want)
	if want > 0 && !s.throttled {
		short := want - (s.highest - s.live)
		if s.primary.Unplaced != nil {
			short = max(short, want) // the hosts have no room either
		}
		s.stopLeaving(short, fallback)
	}
	if want > 0 && !s.throttled && !s.isBlocked(s.primary) {
		n := min(want, s.highest-s.live)
		if s.throttle.Rounds >= impairedAfter {
			n = min(n, probeTasks-s.countStarting())
		}
		s.addLaunch(s.primary, n, "")
	}
	s.launchFallback(fallback) // in the room that PRIMARY left over
	s.addStoppedEvents()
}

// stopReplaced lets one task leave for each that has become healthy in its place.
// Once PRIMARY has FAILED only tasks on draining hosts leave.
func (s *step) stopReplaced(fallback int) {
	n := s.leaving
	if s.state.Rollout != types.DeploymentRolloutStateFailed {
		n -= max(0, s.desired-s.ownHealthy)
	}
	s.stopLeaving(n, fallback)
}

// countStarting counts PRIMARY's tasks that do not run yet.
func (s *step) countStarting() int {
	n := 0
	for _, m := range s.marks {
		if m.class() == pending && m.has(isOwn) {
			n++
		}
	}
	return n
}

// addLaunch adds n tasks of a deployment to the launches.
func (s *step) addLaunch(d *Deployment, n int, zone string) {
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

// stopLeaving stops up to n of the tasks that have to leave, the worst first, as long
// as enough tasks are left. Once PRIMARY has FAILED only tasks on draining hosts
// leave.
func (s *step) stopLeaving(n, fallback int) {
	stays := s.state.Rollout == types.DeploymentRolloutStateFailed
	for class := unhealthy; class <= healthy && n > 0; class++ {
		for i := range s.marks {
			if n <= 0 {
				break
			}
			m := s.marks[i]
			if m.class() != class || !m.has(mustLeave) || stays && s.in.Tasks[i].Host != HostDraining {
				continue
			}
			if m.has(isProtected) && class != unhealthy {
				s.wakeAt(s.in.Tasks[i].ProtectedUntil)
				continue
			}
			switch {
			case class == healthy && s.healthy <= s.lowest:
				continue
			case class == young && (s.standing <= s.lowest || stays && s.countRunning() <= s.lowest):
				continue
			case class == pending && fallback != unlisted && int(s.owner[i]) == fallback:
				if s.standing <= s.lowest {
					continue
				}
				s.standing--
			}
			n--
			s.stopTask(i, s.stopReason(i, m))
		}
	}
}

// stopReason returns why a task has to leave. If that is its health, it adds an event
// and counts the failure.
func (s *step) stopReason(i int, m mark) string {
	t := &s.in.Tasks[i]
	failed := s.state.Rollout == types.DeploymentRolloutStateFailed
	switch {
	case failed && t.Host == HostDraining && m.class() != unhealthy:
		return reasonDraining(s.svc.Name, t.Instance)
	case !m.has(isOwn):
		return reasonScaling(s.primary.ID)
	case m.class() == unhealthy:
		s.addEvent(unhealthyTaskEvent(s.svc.Name, t.ID))
		if s.owner[i] == 0 && s.countsAsFailure(t) {
			s.failures++
		}
		return ReasonUnhealthy
	}
	return reasonDraining(s.svc.Name, t.Instance)
}

// countFallbackPending adds the fallback's pending tasks to those that stand: while
// PRIMARY fails, the service depends on them.
func (s *step) countFallbackPending(fallback int) {
	for i, m := range s.marks {
		if m.class() == pending && int(s.owner[i]) == fallback {
			s.standing++
		}
	}
}

// countRunning counts the tasks that run and are not known to be unhealthy.
func (s *step) countRunning() int {
	n := 0
	for _, m := range s.marks {
		if c := m.class(); c == young || c == healthy {
			n++
		}
	}
	return n
}

// countDraining counts the tasks on draining hosts that stand and have to leave, once
// PRIMARY has FAILED and launches nothing in their place. Otherwise it returns 0.
func (s *step) countDraining(fallback int) int {
	n := 0
	if s.state.Rollout != types.DeploymentRolloutStateFailed {
		return n
	}
	for i, m := range s.marks {
		if s.in.Tasks[i].Host != HostDraining || !m.has(mustLeave) || m.has(isProtected) {
			continue
		}
		if c := m.class(); c > pending || c == pending && int(s.owner[i]) == fallback {
			n++
		}
	}
	return n
}

// launchFallback launches tasks of the deployment before PRIMARY, up to the minimum.
// They replace worse tasks and those on draining hosts.
func (s *step) launchFallback(fallback int) {
	for fallback != unlisted {
		d := &s.in.Deployments[fallback]
		n := s.lowest - s.standing + s.countDraining(fallback)
		if delayed, until := d.Crashes.Delayed(s.in.Now); n > 0 && delayed > 0 {
			s.wakeAt(until)
			n -= delayed
		}
		n = min(n, s.highest-s.live)
		if n <= 0 || s.isBlocked(d) {
			return
		}
		if th := s.countRounds(fallback, s.lastRanSerial(fallback)); s.in.Now.Before(th.NextTry) {
			s.wakeAt(th.NextTry)
			return
		}
		s.addLaunch(d, n, "")
		s.counted[fallback] += n
		s.standing += n
		s.leaving += n
		s.stopReplaced(fallback)
	}
}
