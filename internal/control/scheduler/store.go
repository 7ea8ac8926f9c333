package scheduler

import (
	"context"
	"slices"

	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/control/serviceevent"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// storeOutput stores what a step requests, except launches. It uses one transaction
// if everything fits. If it takes several, the states come last: if one of them
// fails, the next step sees what is missing.
func (l *leader) storeOutput(ctx context.Context, v *view, out *rollout.Output) error {
	left := *out
	if n := len(left.Events) - serviceevent.MaxEvents; n > 0 {
		left.Events = left.Events[n:] // the older ones would be deleted at once
	}
	most := maxTasks
	for len(left.Stops)+len(left.Events)+len(left.Deployments) > 0 || left.Rollback != nil || left.Inactive {
		var some rollout.Output
		complete := false
		err := l.update(ctx, v, func(tx *store.Tx) (err error) {
			complete = false
			if len(left.Stops) <= most {
				complete, err = tx.Try(func() error { return l.writeOutput(tx, v, &left) })
			}
			if complete || err != nil {
				return err
			}
			some, err = l.writeSome(tx, v, &left, most)
			return err
		})
		if complete || err != nil {
			return err
		}
		left.Stops, left.Events = left.Stops[len(some.Stops):], left.Events[len(some.Events):]
		left.Deployments = left.Deployments[:len(left.Deployments)-len(some.Deployments)]
		if n := len(some.Stops); n > 0 {
			most = min(2*n, maxTasks)
		}
	}
	return nil
}

// writeSome writes as much as fits of what comes first, and returns that: stops, at
// most `most` of them, then events, then the states of the oldest deployments.
func (l *leader) writeSome(tx *store.Tx, v *view, left *rollout.Output, most int) (some rollout.Output, err error) {
	var part func(n int) rollout.Output
	switch states := left.Deployments; {
	case len(left.Stops) > 0:
		most = min(most, len(left.Stops))
		part = func(n int) rollout.Output { return rollout.Output{Stops: left.Stops[:n]} }
	case len(left.Events) > 0:
		most = len(left.Events)
		part = func(n int) rollout.Output { return rollout.Output{Events: left.Events[:n]} }
	default:
		most = len(states) - 1 // the newest is written together with the other changes
		part = func(n int) rollout.Output { return rollout.Output{Deployments: states[len(states)-n:]} }
	}
	n, err := tx.TryMost(most, 1, func(n int) error {
		some = part(n)
		return l.writeOutput(tx, v, &some)
	})
	if err == nil && n <= 0 {
		err = store.ErrTooLarge
	}
	return some, err
}

// update runs a transaction that commits only while the term lasts and the service's
// record is the inspected one.
func (l *leader) update(ctx context.Context, v *view, fn func(*store.Tx) error) error {
	return l.Store.Update(ctx, func(tx *store.Tx) error {
		if err := l.term.Guard(tx); err != nil {
			return err
		}
		if store.Get(tx, store.ServiceKey(v.service.Cluster, v.service.Name)) != v.service {
			return errStale
		}
		return fn(tx)
	})
}

// writeOutput writes what a step requests, except launches.
func (l *leader) writeOutput(tx *store.Tx, v *view, out *rollout.Output) error {
	for _, s := range out.Stops {
		if err := l.writeStop(tx, v, s); err != nil {
			return err
		}
	}
	state, err := serviceevent.ReadState(tx, v.service)
	if err != nil {
		return err
	}
	before := *state
	if err := l.writeStates(tx, v, out, state); err != nil {
		return err
	}
	if err := serviceevent.Append(tx, v.service, state, v.in.Now, out.Events); err != nil {
		return err
	}
	if before.Events == state.Events && before.Steady == state.Steady && before.SteadyAt.Equal(state.SteadyAt) {
		return nil
	}
	return store.Put(tx, store.ServiceStateKey(v.service.Cluster, v.service.Name), state)
}

// writeStop writes the request to stop a task. An earlier request stays as it is.
func (l *leader) writeStop(tx *store.Tx, v *view, s rollout.Stop) error {
	wish := &fleet.TaskStop{Code: s.Code, Reason: s.Reason, At: v.in.Now, Unhealthy: s.Reason == rollout.ReasonUnhealthy}
	cluster := v.service.Cluster
	if id, lost := v.lostHosts[s.Task]; lost {
		wish.Lost = true
		// The host may have come back meanwhile.
		if store.Get(tx, store.SessionKey(cluster, id)) != nil {
			return errStale
		}
	}
	if tx.Snapshot().WaitingTask(cluster, s.Task) != nil {
		return report.StopWaiting(tx, cluster, s.Task, wish)
	}
	return report.Stop(tx, cluster, s.Task, wish)
}

// writeStates writes the new states of the deployments and of the service.
func (l *leader) writeStates(tx *store.Tx, v *view, out *rollout.Output, state *fleet.ServiceState) error {
	for i := range out.Deployments {
		if err := l.writeDeployment(tx, v, out, &out.Deployments[i], state); err != nil {
			return err
		}
	}
	next := *v.service
	switch {
	case out.Rollback != nil:
		r := out.Rollback
		next.Deployments++
		next.Deployment = v.in.NextID
		d := &fleet.Deployment{
			Cluster: next.Cluster, Service: next.Name, ServiceID: next.ID, ID: v.in.NextID, Number: next.Deployments, Revision: r.Revision,
			CreatedAt: v.in.Now, Sources: v.sources(), RollbackOf: r.Of, Reason: r.Reason, Configuration: next.Configuration,
		}
		if err := store.Create(tx, store.DeploymentKey(next.Cluster, next.Name, d.ID), d); err != nil {
			return err
		}
	case out.Inactive:
		next.Status = fleet.ServiceInactive
	default:
		return nil
	}
	return store.Put(tx, store.ServiceKey(next.Cluster, next.Name), &next)
}

// sources returns the revisions of the deployments that a rollback replaces.
func (v *view) sources() []string {
	var out []string
	for _, d := range v.deployments {
		if !slices.Contains(out, d.Revision) {
			out = append(out, d.Revision)
		}
	}
	return out
}

// writeDeployment writes a deployment's new state, and PRIMARY's steady state into
// state.
func (l *leader) writeDeployment(tx *store.Tx, v *view, out *rollout.Output, c *rollout.DeploymentChange, state *fleet.ServiceState) error {
	i := slices.IndexFunc(v.deployments, func(d store.Deployment) bool { return d.ID == c.ID })
	was := v.deployments[i]
	k := store.DeploymentStateKey(was.Cluster, was.Service, was.ID)
	if store.Get(tx, k) != was.State {
		return errStale
	}
	var next fleet.DeploymentState
	if was.State != nil {
		next = *was.State
	}
	ended := next.Rollout != c.Rollout && c.Rollout != types.DeploymentRolloutStateInProgress
	next.Rollout, next.Reason, next.LastGood = c.Rollout, c.Reason, c.LastGood
	next.NextTry, next.Impaired, next.Looping, next.Stuck, next.Done = c.NextTry, c.Impaired, c.Looping, c.Stuck, c.Retired
	if next.StartedAt.IsZero() {
		next.StartedAt = v.in.Now
	}
	next.UpdatedAt = v.in.Now
	if ended {
		next.FinishedAt = v.in.Now
		switch {
		case c.Rollout != types.DeploymentRolloutStateFailed:
		case was.Stop != nil:
			next.StoppedAt = v.in.Now
		default:
			next.Tripped = out.Failures
		}
	}
	if c.UnplacedResolved {
		next.Unplaced = nil
	}
	if was.ID == v.service.Deployment {
		state.Steady, state.SteadyAt = !c.SteadySince.IsZero(), c.SteadySince
	}
	return store.Put(tx, k, &next)
}
