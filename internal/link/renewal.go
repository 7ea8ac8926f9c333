package link

import (
	"sync"
	"time"

	"github.com/ashore/ashore/internal/fleet"
)

// A stock agent renews its connection every half hour: it ends the old one, and
// comes back. Whoever is back within renewalLimit has never been away.
const renewalLimit = time.Minute

// renewals remember since when the agents had been connected that have gone
// lately, to this server or to another.
type renewals struct {
	mu         sync.Mutex
	departures map[peer]departure // guarded by mu
	sweep      time.Time          // when to look for those that are too old; guarded by mu
}

type departure struct {
	connection       string
	since, at, heard time.Time
}

// noteLeft notes that a session has ended, whose agent was last heard at a time.
func (r *renewals) noteLeft(p peer, s *fleet.InstanceSession, heard, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.departures == nil {
		r.departures = map[peer]departure{}
	}
	if now.After(r.sweep) {
		for q, d := range r.departures {
			if now.Sub(d.at) > renewalLimit {
				delete(r.departures, q)
			}
		}
		r.sweep = now.Add(renewalLimit)
	}
	if d, ok := r.departures[p]; ok && d.connection == s.Connection {
		heard = d.heard // who had the connection knows better
	}
	r.departures[p] = departure{s.Connection, s.ConnectedSince(), now, heard}
}

// lastHeard is when the agent that has gone lately was last heard.
func (r *renewals) lastHeard(p peer) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.departures[p]
	return d.heard, ok
}

// connectedSince is since when the agent has been connected that connects now; old is the
// record of a session that has not ended yet, or nil.
func (r *renewals) connectedSince(p peer, old *fleet.InstanceSession, now time.Time) time.Time {
	if old != nil {
		return old.ConnectedSince()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.departures[p]; ok && now.Sub(d.at) <= renewalLimit {
		return d.since
	}
	return now
}
