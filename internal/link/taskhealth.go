package link

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/tcs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// storeTaskHealth writes the health of an agent's containers where it has changed. The
// agent repeats its message, so a failed write is repeated too.
func (s *Server) storeTaskHealth(ctx context.Context, p peer, m *tcs.PublishHealthRequest) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	// One transaction has at most as many tasks as a message of the stock agent.
	for part := range slices.Chunk(m.Tasks, tcs.MaxTasksPerMessage) {
		snap := s.store.Snapshot()
		if !slices.ContainsFunc(part, func(reported tcs.TaskHealth) bool {
			t := p.findTask(snap, reported.TaskArn)
			return t != nil && mergeHealth(t, t.Health, &reported, now) != nil
		}) {
			continue
		}
		if err := s.rates.Wait(ctx, p.String(), 1); err != nil { // a transaction counts like a message
			return err
		}
		if err := s.storeHealthBatch(ctx, p, part, now); err != nil {
			return err
		}
	}
	return nil
}

// storeHealthBatch writes the health of some tasks in one transaction. It leaves out tasks
// that can't be written.
func (s *Server) storeHealthBatch(ctx context.Context, p peer, reported []tcs.TaskHealth, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	var done map[string]bool
	left, err := store.UpdateEach(ctx, s.store, reported,
		func(*store.Tx) error { done = map[string]bool{}; return nil },
		func(tx *store.Tx, reported tcs.TaskHealth) error {
			t := p.findTask(tx.Snapshot(), reported.TaskArn)
			if t == nil || done[t.ID] {
				return nil
			}
			done[t.ID] = true
			k := store.TaskHealthKey(t.Cluster, t.ID)
			old := store.Get(tx, k)
			if store.Get(tx, store.TaskKey(t.Cluster, t.ID)) == nil {
				return nil
			}
			if next := mergeHealth(t, old, &reported, now); next != nil {
				return store.Put(tx, k, next)
			}
			return nil
		})
	for _, l := range left {
		s.cfg.Log.Warn("link: a task's health is left as it is", append(contain.Attrs(l.Err), "instance", p, "task", l.Item.TaskArn)...)
	}
	return err
}

// findTask returns the task of an ARN if it runs on this peer, else nil.
func (p peer) findTask(snap *store.Snapshot, arn string) *fleet.TaskState {
	t := snap.Task(p.cluster, arn[strings.LastIndexByte(arn, '/')+1:])
	if t == nil || t.Instance != p.id || !t.Holds() {
		return nil
	}
	return t
}

// mergeHealth merges a task's stored health with an agent's message. It returns nil if
// nothing has changed. It ignores health that the API has no name for, and containers that
// the task does not have.
func mergeHealth(t *fleet.TaskState, old *fleet.TaskHealth, reported *tcs.TaskHealth, now time.Time) *fleet.TaskHealth {
	next := &fleet.TaskHealth{Version: 1}
	if old != nil {
		next.Containers, next.Version, next.Extra = slices.Clone(old.Containers), old.Version+1, old.Extra
	}
	changed := false
	for _, c := range reported.Containers {
		update := fleet.ContainerHealth{Name: c.ContainerName, Status: types.HealthStatus(c.HealthStatus), Since: c.StatusSince.UTC().Truncate(time.Millisecond)}
		known := slices.ContainsFunc(t.Containers, func(tc fleet.TaskContainer) bool { return tc.Name == update.Name })
		if !known || !slices.Contains(update.Status.Values(), update.Status) {
			continue
		}
		if update.Since.IsZero() || update.Since.After(now) { // hosts' clocks may be wrong
			update.Since = now
		}
		i := slices.IndexFunc(next.Containers, func(o fleet.ContainerHealth) bool { return o.Name == update.Name })
		switch {
		case i < 0 && update.Status == types.HealthStatusUnknown: // no entry already means UNKNOWN
		case i < 0:
			next.Containers, changed = append(next.Containers, update), true
		case next.Containers[i].Status != update.Status:
			next.Containers[i], changed = update, true
		}
	}
	if !changed {
		return nil
	}
	return next
}
