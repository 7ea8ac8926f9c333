package link

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

// A session that panics ends, and its agent is refused for longer and longer times:
// what made it panic may come again at once. The other sessions go on.

// line is one of an instance's two connections, by the action of its upgrade.
type line struct {
	peer   peer
	action string
}

// errSetAside is what an agent is told whose session has panicked.
var errSetAside = errors.New("the session has met an error in the server, whose log has more")

// wellAfter is how long a session lasts that has come to do well.
const wellAfter = time.Minute

// ended notes why a session has ended.
func (s *Server) ended(l line, began time.Time, err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.As(err, new(*contain.Panic)) {
		if now.Sub(began) > wellAfter {
			s.aside.Forget(l)
		}
		return
	}
	snap := s.store.Snapshot()
	s.aside.Keep(func(l line) bool { return !l.peer.over(snap) })
	times, wait := s.aside.Fail(l, now)
	s.cfg.Log.Error("link: a session is set aside", append(contain.Attrs(err), "instance", l.peer, "action", l.action, "times", times, "retry_in", wait)...)
}

// mayReturn refuses the agent of a session that is set aside.
func (s *Server) mayReturn(l line) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aside.Is(l, time.Now()) {
		return refusef(http.StatusServiceUnavailable, acs.ServerException, "%v", errSetAside)
	}
	return nil
}

// readable returns an error where the instance's record, or its cluster's, is there
// and can't be read.
func (p peer) readable(snap *store.Snapshot) error {
	return cmp.Or(store.Readable(snap, store.InstanceKey(p.cluster, p.id)), store.Readable(snap, store.ClusterKey(p.cluster)))
}

// over says whether the instance is deregistered. One whose record can't be read
// goes on: what it was is not known to have ended.
func (p peer) over(snap *store.Snapshot) bool {
	inst := snap.Instance(p.cluster, p.id)
	if inst == nil {
		return p.readable(snap) == nil
	}
	return inst.Status == fleet.InstanceInactive
}
