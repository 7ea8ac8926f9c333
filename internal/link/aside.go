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

// connectionKey is one of an instance's two connections, by the action of its upgrade.
type connectionKey struct {
	peer   peer
	action string
}

// errSetAside is what an agent is told whose session has panicked.
var errSetAside = errors.New("the session has met an error in the server, whose log has more")

// stableAfter is how long a session lasts that has come to do well.
const stableAfter = time.Minute

// noteEnd notes why a session has ended.
func (s *Server) noteEnd(l connectionKey, began time.Time, err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.As(err, new(*contain.Panic)) {
		if now.Sub(began) > stableAfter {
			s.failures.Forget(l)
		}
		return
	}
	snap := s.store.Snapshot()
	s.failures.Retain(func(l connectionKey) bool { return !l.peer.isDeregistered(snap) })
	times, wait := s.failures.Add(l, now)
	s.cfg.Log.Error("link: a session is set aside", append(contain.Attrs(err), "instance", l.peer, "action", l.action, "times", times, "retry_in", wait)...)
}

// checkFailures refuses the agent of a session that is set aside.
func (s *Server) checkFailures(l connectionKey) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures.IsWaiting(l, time.Now()) {
		return newRefusal(http.StatusServiceUnavailable, acs.ServerException, "%v", errSetAside)
	}
	return nil
}

// checkReadable returns an error where the instance's record, or its cluster's, is there
// and can't be read.
func (p peer) checkReadable(snap *store.Snapshot) error {
	return cmp.Or(store.Readable(snap, store.InstanceKey(p.cluster, p.id)), store.Readable(snap, store.ClusterKey(p.cluster)))
}

// isDeregistered says whether the instance is deregistered. One whose record can't be read
// goes on: what it was is not known to have ended.
func (p peer) isDeregistered(snap *store.Snapshot) bool {
	inst := snap.Instance(p.cluster, p.id)
	if inst == nil {
		return p.checkReadable(snap) == nil
	}
	return inst.Status == fleet.InstanceInactive
}
