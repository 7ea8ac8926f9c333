package scheduler

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/control/rollout"
)

// outcome is the result of inspecting a service.
type outcome struct {
	gone           bool          // the service no longer needs the scheduler
	repeat         bool          // it should be inspected again at once
	mayHaveRoom    bool          // room may have been made and was not tried yet
	unplaced       bool          // some of its tasks have found no host
	dependsOnHosts bool          // it depends on which hosts exist
	lossUnknown    bool          // it has tasks on absent hosts, and it is not known yet when these count as lost
	wake           time.Time     // time of the next inspection even if nothing changes; zero: none
	cost           time.Duration // how long the decision took
	pause          time.Duration // wait before the next inspection
}

// errStale says that the records of a decision have changed before its result was
// stored.
var errStale = errors.New("the service has changed meanwhile")

// maxAge is how long launches may go on by one decision, so that a service of
// thousands of tasks is not inspected anew for each transaction.
const maxAge = time.Second

// converge inspects a service once and does what it needs.
func (l *leader) converge(ctx context.Context, cluster, service string, room bool) (outcome, error) {
	began := l.Now()
	out := outcome{mayHaveRoom: room}
	v, err := l.newView(l.Store.Snapshot(), cluster, service, room)
	if err != nil || v == nil {
		return outcome{gone: v == nil && err == nil, mayHaveRoom: room}, err
	}
	defer v.release()
	step := rollout.Step(&v.in)
	out.cost = l.Now().Sub(began)
	out.dependsOnHosts, out.lossUnknown = v.dependsOnHosts, v.lossUnknown
	out.wake = earliest(step.Wake, v.wake)
	for i := range v.in.Deployments {
		out.unplaced = out.unplaced || v.in.Deployments[i].Unplaced != nil
	}
	if !out.unplaced {
		out.mayHaveRoom = false
	}
	if err := l.storeOutput(ctx, v, &step); err != nil {
		if errors.Is(err, errStale) {
			out.repeat = true
			return out, nil
		}
		return out, err
	}
	for i := range step.Launches {
		out.mayHaveRoom = false
		done, err := l.launch(ctx, v, &step.Launches[i], began)
		out.repeat = out.repeat || !done.done
		if done.missing > 0 {
			out.unplaced = true
			out.pause = pauseAfterTries(done.tries)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// pauseAfterTries returns the pause after a number of consecutive tries that found no
// room.
func pauseAfterTries(tries int) time.Duration {
	return min(time.Duration(tries)*10*time.Millisecond, 250*time.Millisecond)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// launchProgress is how far a launch has come.
type launchProgress struct {
	done    bool // nothing is left to be done
	missing int  // tasks that found no host
	tries   int  // consecutive tries that found no room
}

// launch launches tasks, as many at once as fit into a transaction, until there is no
// more room or the decision is out of date.
func (l *leader) launch(ctx context.Context, v *view, want *rollout.Launch, decided time.Time) (launchProgress, error) {
	left, instances := want.Count, want.Instances
	most := maxTasks
	for left > 0 {
		if l.Now().Sub(decided) > maxAge {
			return launchProgress{}, nil
		}
		snap := l.Store.Snapshot()
		d := snap.Deployment(v.service.Cluster, v.service.Name, want.Deployment)
		if d.Deployment == nil || snap.Service(v.service.Cluster, v.service.Name) != v.service {
			return launchProgress{}, nil
		}
		order := placer.ServiceLaunch{Term: l.term, Service: v.service, Deployment: want.Deployment, Count: min(left, most), Zone: want.Zone}
		if d.State != nil {
			order.After = d.State.Launched
		}
		if len(instances) > 0 {
			order.Instances = instances[:order.Count]
		}
		got, err := l.Placer.LaunchService(ctx, order)
		if err != nil || got.Stale {
			return launchProgress{}, err
		}
		n := order.Count - got.Left
		left -= n
		if len(instances) > 0 {
			instances = instances[n:]
		}
		if got.Left > 0 {
			most = min(2*n, maxTasks) // about as many as fit
		}
		if got.Missing > 0 {
			tries := 1
			d := l.Store.Snapshot().Deployment(v.service.Cluster, v.service.Name, want.Deployment)
			if d.State != nil && d.State.Unplaced != nil {
				tries = d.State.Unplaced.Tries
			}
			if len(instances) > 0 {
				continue // each task needs room on a host of its own
			}
			return launchProgress{true, got.Missing, tries}, nil
		}
	}
	return launchProgress{done: true}, nil
}
