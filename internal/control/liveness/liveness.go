// Package liveness decides which hosts count as lost: data in, data out.
//
// A host is lost when it has been without a session for the time that the service
// sets. That time is measured on its cluster's clock, which advances while the leader
// observes the hosts. The clock stops while the hosts' absence says more about the
// control plane, or about the whole site, than about the hosts:
//
//	leader begins, or was blind ──► all absences count from zero
//	more than a third of a cluster away, and at least two, or all of it ──► its clock stops
//	less than that ──► its clock goes on where it stopped; a host that is still away
//	counts from zero, and gets as long a grace period as the clock was stopped
//
// So a loss is never declared before a leader has observed, without a gap, for as
// long as the loss takes. An outage of the control plane replaces nothing, no matter
// how long it is, and neither does a restart of all hosts of a site. In a cluster of
// two or three hosts one lost host can still be replaced. If two hosts of two to five
// are away at once, it is not known which side is cut off, so nothing is replaced
// until one is back or declared gone. If no host is left, there is no place for
// replacements.
//
// Agents reconnect with a back-off that grows with the outage; the stock agent's
// grows to over two minutes. Without the grace period, the last third of the hosts to
// return would be lost. The period is the longest one after an outage that began
// before the leader did.
//
// A transaction that acts on a loss is guarded by the absence of the host's session,
// beside the leader's term.
package liveness

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// Gap is for how long a confirmation that the observed state is current holds. A
// leader that confirms later than that was blind meanwhile.
const Gap = 5 * time.Second

// The bounds of the grace period after the clock was stopped. A stop shorter than
// minStop does not count, such as while a leader observes one host after the
// other.
const (
	minGrace = 15 * time.Second
	maxGrace = 3 * time.Minute
	minStop  = time.Second
)

// Presence is what is known about a host's connection.
type Presence uint8

const (
	// Present is a host with a session.
	Present Presence = iota
	// Away is a host without a session.
	Away
	// Replaced is a host without a session whose tasks were already replaced
	// elsewhere. It does not count towards the third that stops the clock, so it does
	// not delay the next loss. For the other tasks on it, the host is still away.
	Replaced
)

// Tracker follows the hosts' presence for one leader, for one term. Only one
// goroutine may use it. Times that are passed to it must never go back.
type Tracker struct {
	began     time.Time // when it began to observe, or ceased to be blind
	confirmed time.Time
	clusters  map[string]*cluster
}

// cluster is a clock and the hosts whose absence it measures.
type cluster struct {
	hosts     map[string]*host
	expected  int // hosts that are present or away
	away      int
	shown     time.Duration // what the clock showed at the time at
	at        time.Time
	stoppedAt time.Time // since when the clock is stopped; zero while it runs
}

type host struct {
	presence Presence
	since    time.Duration // on the cluster's clock; not valid if present
	grace    time.Duration // the host is lost after this time at the earliest
}

// New returns the tracker of a leader that begins to observe now, with a current
// state.
func New(now time.Time) *Tracker {
	return &Tracker{began: now, confirmed: now, clusters: map[string]*cluster{}}
}

// Confirm says that the observed state was etcd's state at `now`. Call it at least
// once every Gap, or no host is ever declared lost. After a longer silence every
// absence counts from now.
func (t *Tracker) Confirm(now time.Time) {
	if t.isBlind(now) {
		t.began = now
		for _, c := range t.clusters {
			c.shown, c.at = 0, now
			if c.isStopped() {
				c.stoppedAt = now
			}
			for _, h := range c.hosts {
				h.since, h.grace = 0, 0
			}
		}
	}
	t.confirmed = now
}

func (t *Tracker) isBlind(now time.Time) bool { return now.Sub(t.confirmed) > Gap }

// Observe records a host's presence at a time. Recording the same presence again
// changes nothing.
func (t *Tracker) Observe(now time.Time, clusterName, hostName string, p Presence) {
	c := t.clusters[clusterName]
	if c == nil {
		c = &cluster{hosts: map[string]*host{}, at: now}
		t.clusters[clusterName] = c
	}
	c.advance(now)
	h := c.hosts[hostName]
	switch {
	case h == nil:
		h = &host{since: c.shown}
		c.hosts[hostName] = h
	case h.presence == p:
		return
	default:
		if h.presence == Present {
			h.since = c.shown
		}
		c.count(h, -1)
	}
	h.presence = p
	if p == Present {
		h.grace = 0
	}
	c.count(h, +1)
	c.updateClock(now, t.began)
}

// Forget removes a host that is no longer registered.
func (t *Tracker) Forget(now time.Time, clusterName, hostName string) {
	c := t.clusters[clusterName]
	if c == nil || c.hosts[hostName] == nil {
		return
	}
	c.advance(now)
	c.count(c.hosts[hostName], -1)
	delete(c.hosts, hostName)
	c.updateClock(now, t.began)
	if len(c.hosts) == 0 {
		delete(t.clusters, clusterName)
	}
}

// IsLost reports whether a host has been away for a time, measured on its cluster's
// clock.
func (t *Tracker) IsLost(now time.Time, clusterName, hostName string, after time.Duration) bool {
	due, ok := t.LostAt(now, clusterName, hostName, after)
	return ok && !due.After(now)
}

// LostAt returns when the host will be lost if nothing changes until then. A time
// that has passed means that it is lost. There is no such time for a host that is
// present or unknown, and none while the clock is stopped or the leader is blind. A
// host that was lost before the clock stopped stays lost.
func (t *Tracker) LostAt(now time.Time, clusterName, hostName string, after time.Duration) (time.Time, bool) {
	c := t.clusters[clusterName]
	if c == nil || t.isBlind(now) {
		return time.Time{}, false
	}
	h := c.hosts[hostName]
	if h == nil || h.presence == Present {
		return time.Time{}, false
	}
	left := max(after, h.grace) - (c.read(now) - h.since)
	if left > 0 && c.isStopped() {
		return time.Time{}, false
	}
	return now.Add(left), true
}

// Missing yields the names of a cluster's hosts without a session, in order.
func (t *Tracker) Missing(clusterName string) iter.Seq[string] {
	return func(yield func(string) bool) {
		c := t.clusters[clusterName]
		if c == nil || c.away == 0 && c.expected == len(c.hosts) {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(c.hosts)) {
			if c.hosts[name].presence != Present && !yield(name) {
				return
			}
		}
	}
}

// Clock returns the state of a cluster's clock, for people: how many hosts are away,
// how many are expected, and whether the clock is stopped because of that.
func (t *Tracker) Clock(clusterName string) (away, expected int, stands bool) {
	c := t.clusters[clusterName]
	if c == nil {
		return 0, 0, false
	}
	return c.away, c.expected, c.isStopped()
}

// isStopped is the rule: the clock stops if more than a third of the hosts and at
// least two are away, or if all are away and not replaced.
func (c *cluster) isStopped() bool {
	return c.away >= 2 && 3*c.away > c.expected || c.away > 0 && c.away == c.expected
}

// updateClock stops or starts the clock after a host's presence has changed.
func (c *cluster) updateClock(now, began time.Time) {
	switch {
	case c.isStopped() && c.stoppedAt.IsZero():
		c.stoppedAt = now
	case !c.isStopped() && !c.stoppedAt.IsZero():
		stopped := now.Sub(c.stoppedAt)
		grace := min(max(stopped, minGrace), maxGrace)
		if c.stoppedAt.Sub(began) < minStop {
			grace = maxGrace
		}
		c.stoppedAt = time.Time{}
		if stopped < minStop {
			return
		}
		for _, h := range c.hosts {
			if h.presence == Away {
				h.since, h.grace = c.shown, grace
			}
		}
	}
}

// read returns what the clock shows.
func (c *cluster) read(now time.Time) time.Duration {
	if c.isStopped() {
		return c.shown
	}
	return c.shown + max(0, now.Sub(c.at))
}

// advance stores what the clock shows, before something changes.
func (c *cluster) advance(now time.Time) { c.shown, c.at = c.read(now), now }

func (c *cluster) count(h *host, d int) {
	switch h.presence {
	case Present:
		c.expected += d
	case Away:
		c.expected += d
		c.away += d
	case Replaced:
	}
}
