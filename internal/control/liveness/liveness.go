// Package liveness decides which hosts count as lost: data in, data out.
//
// A host is lost when it has been without a session for a time that the
// service asks for. That time is counted on its cluster's clock, which
// the leader's own watching drives and which stands still whenever the hosts'
// absence says more about the control plane, or about the whole site, than
// about them:
//
//	leader begins, or was blind ──► all absences count from zero
//	more than a third of a cluster away, and at least two, or all of it ──► its clock stands
//	less than that ──► its clock goes on where it stood, and who is away still
//	gets as long again as it stood, from zero
//
// So a loss is never declared before a leader has watched, without a gap, for
// as long as the loss takes: an outage of the control plane replaces nothing,
// however long, and neither do all hosts of a site that start again at once.
// In a cluster of two or three hosts one lost host is still replaceable; when
// two of two to five are away at once, nobody can tell who is cut off from whom,
// and nothing is replaced until one is back or declared gone. Where no host is
// left, there is nowhere to replace anything.
//
// Agents come back by a back-off that grows with the outage, the stock agent's to
// over two minutes: hence the respite, without which the last third to return
// would be lost. It is the longest one after an outage that began before the
// leader did.
//
// Whoever acts on a loss guards its transaction by the absence of the host's
// session, besides the leader's term.
package liveness

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// Gap is for how long a confirmation that the watched state is current holds.
// A leader that confirms later than that was blind in between.
const Gap = 5 * time.Second

// Bounds of the respite after the clock stood. It stood for nothing where it was
// for less than a moment, as while a leader looks at one host after the other.
const (
	minGrace = 15 * time.Second
	maxGrace = 3 * time.Minute
	minStop  = time.Second
)

// Presence is what is known of a host.
type Presence uint8

const (
	// Present is a host with a session.
	Present Presence = iota
	// Away is a host without one.
	Away
	// Replaced is a host without one whose tasks were replaced elsewhere already.
	// It is not missed any more: it does not count towards the third that makes
	// the clock stand still, so the next loss is not held up by it. It goes on to
	// be away for what else it runs.
	Replaced
)

// Tracker follows the hosts' presence for one leader, for one term. It belongs
// to one goroutine. Times passed to it never go back.
type Tracker struct {
	began     time.Time // to watch, or to see again
	confirmed time.Time
	clusters  map[string]*cluster
}

// cluster is a clock and what it measures.
type cluster struct {
	hosts     map[string]*host
	expected  int // hosts that are present or away
	away      int
	shown     time.Duration // what the clock showed at
	at        time.Time
	stoppedAt time.Time // since when it stands; zero while it runs
}

type host struct {
	presence Presence
	since    time.Duration // on the cluster's clock, unless present
	grace    time.Duration // lost no sooner than after this
}

// New returns the tracker of a leader that begins to watch now, with a current
// state.
func New(now time.Time) *Tracker {
	return &Tracker{began: now, confirmed: now, clusters: map[string]*cluster{}}
}

// Confirm says that the state which is observed is etcd's own at this time: it
// is to be called at least once in each Gap, for else nobody is ever lost. After
// a longer silence every absence counts from now.
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

// Observe says what is known of a host at this time. Said again it changes
// nothing.
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

// Forget drops a host that is registered no more.
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

// Lost tells whether a host has been away for that long, as far as its
// cluster's clock knows.
func (t *Tracker) IsLost(now time.Time, clusterName, hostName string, after time.Duration) bool {
	due, ok := t.LostAt(now, clusterName, hostName, after)
	return ok && !due.After(now)
}

// Due is when the host will be lost if nothing changes until then; a time that
// has passed means that it is. There is none for a host that is present or
// unknown, nor while the clock stands or the leader is blind. A host that
// was lost before the clock stood is lost meanwhile too.
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

// Missing names the hosts of a cluster that are without a session, in order.
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

// Clock says how a cluster's clock is, for people: how many hosts are away of
// how many that are expected, and whether it stands for that.
func (t *Tracker) Clock(clusterName string) (away, expected int, stands bool) {
	c := t.clusters[clusterName]
	if c == nil {
		return 0, 0, false
	}
	return c.away, c.expected, c.isStopped()
}

// stands is the rule: more than a third, and at least two, or all went away and
// nobody has replaced them.
func (c *cluster) isStopped() bool {
	return c.away >= 2 && 3*c.away > c.expected || c.away > 0 && c.away == c.expected
}

// turn follows a change of who is there: the clock may stop, or start again.
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

func (c *cluster) read(now time.Time) time.Duration {
	if c.isStopped() {
		return c.shown
	}
	return c.shown + max(0, now.Sub(c.at))
}

// advance notes what the clock shows, before something changes.
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
