package link

import (
	"context"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/tcs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkTypes are the API's names for the checks of agents.
var checkTypes = map[string]types.InstanceHealthCheckType{
	tcs.StatusContainerRuntime: types.InstanceHealthCheckTypeContainerRuntime,
	"AcceleratedCompute":       types.InstanceHealthCheckTypeAcceleratedCompute,
	"Daemon":                   types.InstanceHealthCheckTypeDaemon,
}

// decodeHealth converts an agent's message. It leaves out what the API has no name for.
func decodeHealth(m *tcs.PublishInstanceStatusRequest, now time.Time) []fleet.HealthCheck {
	var out []fleet.HealthCheck
	for _, s := range m.Statuses {
		c := fleet.HealthCheck{Type: checkTypes[s.Type], Status: types.InstanceHealthCheckState(s.Status), ChangedAt: s.LastStatusChange.Time, WrittenAt: now}
		if c.Type == "" || !slices.Contains(c.Status.Values(), c.Status) || slices.ContainsFunc(out, func(o fleet.HealthCheck) bool { return o.Type == c.Type }) {
			continue
		}
		if c.ChangedAt.IsZero() || c.ChangedAt.After(now) { // hosts' clocks may be wrong
			c.ChangedAt = now
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b fleet.HealthCheck) int { return slices.Compare([]byte(a.Type), []byte(b.Type)) })
	return out
}

// storeHealth writes a host's health if it has changed. The agent repeats its message, so
// a failed write is repeated too.
func (s *Server) storeHealth(ctx context.Context, p peer, m *tcs.PublishInstanceStatusRequest) error {
	checks := decodeHealth(m, time.Now().UTC().Truncate(time.Millisecond))
	if len(checks) == 0 || equalHealth(s.store.Snapshot().InstanceHealth(p.cluster, p.id), checks) {
		return nil
	}
	return updateStore(ctx, s.store, func(tx *store.Tx) error {
		k := store.InstanceHealthKey(p.cluster, p.id)
		old := store.Get(tx, k)
		if equalHealth(old, checks) || store.Get(tx, store.InstanceKey(p.cluster, p.id)) == nil {
			return nil
		}
		next := &fleet.InstanceHealth{Checks: checks}
		if old != nil {
			next.Extra = old.Extra
		}
		return store.Put(tx, k, next)
	})
}

// equalHealth reports whether checks equals what is stored.
func equalHealth(old *fleet.InstanceHealth, checks []fleet.HealthCheck) bool {
	return old != nil && slices.EqualFunc(old.Checks, checks, func(a, b fleet.HealthCheck) bool {
		return a.Type == b.Type && a.Status == b.Status
	})
}
