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

// If a session panics, it ends, and its agent is refused for a time that grows with each
// panic: the cause may come again at once. The other sessions go on.

// connectionKey identifies one of an instance's two connections by the action of its
// upgrade.
type connectionKey struct {
	peer   peer
	action string
}

// errSetAside is the error that an agent gets after its session has panicked.
var errSetAside = errors.New("the session has met an error in the server, whose log has more")

// stableAfter is how long a session must last to clear the failures before it.
const stableAfter = time.Minute

// noteEnd records why a session has ended. A panic counts as a failure.
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

// checkFailures returns a refusal while an agent must wait after its session's panics.
func (s *Server) checkFailures(l connectionKey) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures.IsWaiting(l, time.Now()) {
		return newRefusal(http.StatusServiceUnavailable, acs.ServerException, "%v", errSetAside)
	}
	return nil
}

// checkReadable returns an error if the record of the instance or of its cluster exists
// and can't be decoded.
func (p peer) checkReadable(snap *store.Snapshot) error {
	return cmp.Or(store.Readable(snap, store.InstanceKey(p.cluster, p.id)), store.Readable(snap, store.ClusterKey(p.cluster)))
}

// isDeregistered reports whether the instance is deregistered. An instance whose record
// can't be decoded counts as registered, since nothing says that it was deregistered.
func (p peer) isDeregistered(snap *store.Snapshot) bool {
	inst := snap.Instance(p.cluster, p.id)
	if inst == nil {
		return p.checkReadable(snap) == nil
	}
	return inst.Status == fleet.InstanceInactive
}
