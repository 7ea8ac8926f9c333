package link

import (
	"context"
	"net/http"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Actions with which the two upgrades are authorized.
const (
	actionPoll      = "ecs:Poll"
	actionTelemetry = "ecs:StartTelemetrySession"
)

// storeWait bounds each wait of a session for etcd.
const storeWait = 5 * time.Second

// peer identifies the container instance at the other end of a connection.
type peer struct{ cluster, id string }

func (p peer) String() string { return p.cluster + "/" + p.id }

// authorizeUpgrade finds the instance of an upgrade and checks that the caller may act for
// it. cluster and instance are names, ids or ARNs, as the agent was configured.
func (s *Server) authorizeUpgrade(r *http.Request, action, cluster, instance string) (peer, *refusal) {
	ctx, cancel := context.WithTimeout(r.Context(), storeWait)
	defer cancel()
	if s.ctx.Err() != nil {
		return peer{}, newRefusal(http.StatusServiceUnavailable, acs.ServerException, "this server is shutting down")
	}
	p, why := s.resolvePeer(cluster, instance)
	if why != nil {
		return peer{}, why
	}
	if why := s.checkFailures(connectionKey{p, action}); why != nil {
		return peer{}, why
	}
	caller := frontdoor.CallerFrom(ctx).Principal
	arn := s.site.InstanceARN(p.cluster, p.id)
	may, err := frontdoor.Authorize(ctx, s.cfg.Auth, identity.Request{Caller: caller, Action: action, Resources: []string{arn}})
	if err != nil {
		s.cfg.Log.Warn("link: upgrade not authorized", "instance", p, "err", err)
		return peer{}, newRefusal(http.StatusServiceUnavailable, acs.ServerException, "the call can't be authorized at the moment")
	}
	if !may.Allowed {
		return peer{}, newRefusal(http.StatusForbidden, acs.AccessDeniedException, "%v", may.Err())
	}
	snap := s.store.Snapshot()
	if inst := snap.Instance(p.cluster, p.id); inst == nil || inst.Status == fleet.InstanceInactive {
		// It may have registered on another server a moment ago.
		fresh, err := s.store.Fresh(ctx)
		if err != nil {
			s.cfg.Log.Warn("link: upgrade without the newest state", "instance", p, "err", err)
			return peer{}, newRefusal(http.StatusServiceUnavailable, acs.ServerException, "the state can't be read at the moment")
		}
		snap = fresh
	}
	return p, checkMayConnect(snap, p)
}

// resolvePeer returns the instance. Instead of an ARN the agent may send a name or an id.
// An instance's ARN may be short, or long with the name of its cluster.
func (s *Server) resolvePeer(cluster, instance string) (peer, *refusal) {
	if instance == "" {
		return peer{}, newRefusal(http.StatusBadRequest, acs.BadRequestException, "the container instance is missing")
	}
	name, ok := s.site.ClusterName(cluster)
	if !ok {
		return peer{}, newRefusal(http.StatusBadRequest, acs.InvalidClusterException, "%q is not a cluster of account %s in %s", cluster, s.site.Account, s.site.Region)
	}
	id, ok := s.site.MemberID("container-instance", name, instance)
	if !ok || !fleet.IsID(id) {
		return peer{}, newRefusal(http.StatusBadRequest, acs.InvalidInstanceException, "%q is not a container instance of cluster %s", instance, name)
	}
	return peer{name, id}, nil
}

// checkMayConnect refuses agents of unknown and deregistered instances.
func checkMayConnect(snap *store.Snapshot, p peer) *refusal {
	inst := snap.Instance(p.cluster, p.id)
	switch {
	case p.checkReadable(snap) != nil:
		// The instance exists, so the agent must not register again.
		return newRefusal(http.StatusServiceUnavailable, acs.ServerException, "%v", p.checkReadable(snap))
	case inst == nil && snap.Cluster(p.cluster) == nil:
		return newRefusal(http.StatusBadRequest, acs.InvalidClusterException, "cluster %s is not known", p.cluster)
	case inst == nil:
		return newRefusal(http.StatusBadRequest, acs.InvalidInstanceException, "container instance %s is not registered in cluster %s", p.id, p.cluster)
	case inst.Status == fleet.InstanceInactive:
		return inactiveRefusal(p)
	}
	return nil
}

// inactiveRefusal is the answer to the agent of a deregistered instance.
func inactiveRefusal(p peer) *refusal {
	return newRefusal(http.StatusBadRequest, acs.InactiveInstanceException, "Container instance %s is deregistered.", p.id)
}
