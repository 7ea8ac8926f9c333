package reaper

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxEndedDeployments is how many ended deployments of a service are retained.
const maxEndedDeployments = 100

// expiredRecords returns the deletions of a service's records that are due, the
// service's own record last. These are old deployments with the revisions that
// nothing refers to any more, or everything of a deleted service. If a record can't
// be read, it may refer to what seems unused, so nothing is due.
func (l Limits) expiredRecords(snap *store.Snapshot, svc *fleet.Service, now time.Time) (all []func(*store.Tx) error) {
	c, name := svc.Cluster, svc.Name
	if snap.AllReadable(store.ServiceMembers(c, name)) != nil {
		return nil
	}
	gone := svc.Status == fleet.ServiceInactive && now.Sub(svc.DeletedAt) > l.DeletedAge
	used := map[string]bool{}
	ended, completed := 0, false
	for _, d := range snap.Deployments(c, name) { // the newest first
		over := gone || d.ServiceID != svc.ID
		if !over && d.ID != svc.Deployment && d.State != nil && d.State.Done {
			ended++
			// A rollback may go back to the newest completed deployment.
			good := d.State.Rollout == types.DeploymentRolloutStateCompleted && !completed
			over = ended > maxEndedDeployments && !good
		}
		if d.State != nil && d.State.Rollout == types.DeploymentRolloutStateCompleted {
			completed = true
		}
		if !over {
			used[d.Revision] = true
			continue
		}
		all = append(all, func(tx *store.Tx) error {
			return errors.Join(deleteIfPresent(tx, store.DeploymentStopKey(c, name, d.ID)), deleteIfPresent(tx, store.DeploymentStateKey(c, name, d.ID)), deleteIfPresent(tx, store.DeploymentKey(c, name, d.ID)))
		})
	}
	for r := range snap.ServiceRevisions(c, name) {
		if !used[r.ID] {
			all = append(all, func(tx *store.Tx) error { return deleteIfPresent(tx, store.ServiceRevisionKey(c, name, r.ID)) })
		}
	}
	if !gone {
		return all
	}
	for e := range snap.ServiceEvents(c, name) {
		all = append(all, func(tx *store.Tx) error { return deleteIfPresent(tx, store.ServiceEventKey(c, name, e.Number)) })
	}
	return append(all, func(tx *store.Tx) error {
		return errors.Join(deleteIfPresent(tx, store.ServiceStateKey(c, name)), deleteIfPresent(tx, store.ServiceKey(c, name)))
	})
}

// reapServices deletes what is due of services, one service after the other.
func (r *Reaper) reapServices(ctx context.Context, term *store.Term, all []Service, now time.Time) error {
	for _, svc := range all {
		err := contain.Do(func() error { return r.reapService(ctx, term, svc, now) })
		if store.IsItemError(err) {
			r.logLeft(svc.String(), err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// reapService deletes what is due of a service, in as many transactions as it takes.
// A transaction that creates a deployment also writes the service's record. So a
// revision that is deleted here can't come into use meanwhile.
func (r *Reaper) reapService(ctx context.Context, term *store.Term, of Service, now time.Time) error {
	for left := true; left; {
		err := r.update(ctx, term, func(tx *store.Tx) error {
			left = false
			svc := store.Get(tx, store.ServiceKey(of.Cluster, of.Name))
			if svc == nil {
				return nil
			}
			for n, forget := range r.Limits.expiredRecords(tx.Snapshot(), svc, now) {
				fits, err := tx.Try(func() error { return forget(tx) })
				switch {
				case err != nil:
					return err
				case !fits && n == 0:
					return store.ErrTooLarge
				case !fits:
					left = true
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// isUsedByService reports whether a service that is not deleted has a revision of a
// task definition.
func isUsedByService(snap *store.Snapshot, of fleet.TaskDefinitionRef) bool {
	for cluster := range snap.Clusters("") {
		for svc := range snap.Services(cluster, "") {
			if svc.Status == fleet.ServiceInactive {
				continue
			}
			for r := range snap.ServiceRevisions(cluster, svc.Name) {
				if r.Family == of.Family && r.Revision == of.Revision {
					return true
				}
			}
		}
	}
	return false
}
