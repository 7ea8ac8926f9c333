package link

import (
	"sync"
	"time"

	"github.com/ashore/ashore/internal/fleet"
)

// A stock agent renews its connection every half hour: it closes the old one and
// reconnects. If it is back within renewalLimit, it counts as connected all the time.
const renewalLimit = time.Minute

// renewals records, for agents that have disconnected lately from any server, since when
// they had been connected.
type renewals struct {
	mu         sync.Mutex
	departures map[peer]departure // guarded by mu
	sweep      time.Time          // when to remove those that are too old; guarded by mu
}

type departure struct {
	connection       string
	since, at, heard time.Time
}

// noteLeft records that a session has ended, and when its agent was last heard.
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
		heard = d.heard // the server that had the connection knows better
	}
	r.departures[p] = departure{s.Connection, s.ConnectedSince(), now, heard}
}

// lastHeard returns when an agent that disconnected lately was last heard.
func (r *renewals) lastHeard(p peer) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.departures[p]
	return d.heard, ok
}

// connectedSince returns since when an agent that connects now counts as connected. old is
// the record of its session that has not ended yet, or nil.
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
