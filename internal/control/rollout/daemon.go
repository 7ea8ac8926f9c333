package rollout

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

// slot is the place for a DAEMON's task on one host.
type slot struct {
	own     int32 // index of PRIMARY's task there, +1; 0: none
	busy    bool  // a task of the service there has not ended
	tried   bool  // a task of PRIMARY failed to start there
	delayed bool  // the replacement of a task that ended early waits
}

// stepDaemon keeps one task on each host. The old task ends there before the new one
// starts.
func (s *step) stepDaemon() {
	slots := make([]slot, len(s.in.Hosts))
	at := make(map[string]int32, len(s.in.Hosts))
	for i := range s.in.Hosts {
		at[s.in.Hosts[i].Instance] = int32(i)
	}
	for i := range s.in.Tasks {
		t, m := &s.in.Tasks[i], s.marks[i]
		k, ok := at[t.Instance]
		if !ok {
			if m.counts() {
				s.stopTask(i, s.reasonToLeaveHost(t))
			}
			continue
		}
		sl := &slots[k]
		sl.busy = sl.busy || !t.hasStopped()
		if s.owner[i] == 0 && t.failedToStart() {
			sl.tried = true
		}
		if !m.counts() || !m.has(isOwn) || m.has(mustLeave) {
			continue
		}
		if sl.own == 0 {
			sl.own = int32(i) + 1
			continue
		}
		// the host has two: the better task stays, or the older one if they are equal
		other := int(sl.own) - 1
		if o := s.marks[other]; m.class() > o.class() || m.class() == o.class() && t.Serial < s.in.Tasks[other].Serial {
			sl.own = int32(i) + 1
			i = other
		}
		s.stopTask(i, reasonScaling(s.primary.ID))
	}
	for i := range s.primary.Crashes.ends {
		e := &s.primary.Crashes.ends[i]
		if k, ok := at[e.instance]; ok && s.delayed > 0 && s.in.Now.Before(e.until) {
			slots[k].delayed = true
		}
	}
	if s.state.Rollout != types.DeploymentRolloutStateFailed && !s.throttled {
		s.stopLeaving(s.leaving, unlisted)
	} else {
		s.stopUnhealthy()
	}
	s.fillHosts(slots)
	s.addStoppedEvents()
}

// reasonToLeaveHost returns why a DAEMON's task can't stay on its host. It adds an
// event if the host no longer meets the constraints.
func (s *step) reasonToLeaveHost(t *Task) string {
	if t.Host == HostDraining {
		return reasonDraining(s.svc.Name, t.Instance)
	}
	s.addEvent(violatedEvent(s.svc.Name, t.ID, t.Instance))
	return reasonIneligible(s.svc.Name, t.Instance)
}

// stopUnhealthy stops PRIMARY's unhealthy tasks: a new task can't start beside them.
func (s *step) stopUnhealthy() {
	if s.state.Rollout == types.DeploymentRolloutStateFailed {
		return // nothing would replace them
	}
	for i, m := range s.marks {
		if m.class() == unhealthy && m.has(isOwn) {
			s.stopTask(i, s.stopReason(i, m))
		}
	}
}

// fillHosts launches a task on each host that has none.
func (s *step) fillHosts(slots []slot) {
	blocked := s.isBlocked(s.primary)
	failed := s.state.Rollout == types.DeploymentRolloutStateFailed
	var hosts []string
	missing := 0
	for k := range slots {
		sl, h := &slots[k], &s.in.Hosts[k]
		switch {
		case sl.own != 0:
			continue
		case h.Away:
			s.desired-- // the host can't start a task now
			continue
		}
		missing++
		if sl.delayed {
			s.delayReplacement()
			continue
		}
		if !sl.busy && !failed && !blocked && !(s.throttled && sl.tried) {
			hosts = append(hosts, h.Instance)
		}
	}
	s.stalled = missing > 0
	if missing == 0 && s.primary.Unplaced != nil {
		s.unplacedResolved = true
	}
	if len(hosts) > 0 {
		s.out.Launches = append(s.out.Launches, Launch{Deployment: s.primary.ID, Count: len(hosts), Instances: hosts})
		s.live += len(hosts)
	}
}
