package scheduler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/control/liveness"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/store"
	"golang.org/x/sync/errgroup"
)

const (
	// maxInspections is how many services are inspected at the same time. While one
	// waits for its transaction, others go on, and the placer places tasks for all
	// together.
	maxInspections = 16
	// minSpacing is the shortest time between two inspections of a service: changes
	// meanwhile are handled together.
	minSpacing = 5 * time.Millisecond
	// The wait until the next inspection is costFactor times as long as the last one
	// took, but at most maxSpacing, and at least twice as long as the last one took.
	// Inspecting a service of thousands of tasks after each of their reports would
	// take the time that the reports need.
	costFactor, maxSpacing = 10, 100 * time.Millisecond
	// retryAfter is the wait after an inspection that ended in an error.
	retryAfter = time.Second
	// confirmEvery is how often the leader asks etcd whether its snapshot is current:
	// a few times in each liveness.Gap.
	confirmEvery = liveness.Gap / 3
)

type serviceKey struct{ cluster, service string }

// leader is one term.
type leader struct {
	*Scheduler
	term *store.Term

	snap     *store.Snapshot // the newest one from the feed
	services map[serviceKey]*work
	queue    queue
	running  int
	// Services, by cluster, that must be inspected also when other records change:
	// unplaced have tasks without a host, hostDependent depend on which hosts exist.
	unplaced, hostDependent map[string]map[*work]bool
	// lossUnknown are services with tasks on absent hosts of which it is not known
	// when they count as lost. Each confirmation may decide that.
	lossUnknown map[string]map[*work]bool

	// aside are the services that could not be inspected because of faults of their
	// own.
	aside contain.Failures[serviceKey]

	mu      sync.Mutex
	tracker *liveness.Tracker // guarded by mu
}

func newLeader(s *Scheduler, term *store.Term) *leader {
	return &leader{
		Scheduler: s, term: term, services: map[serviceKey]*work{},
		unplaced: map[string]map[*work]bool{}, hostDependent: map[string]map[*work]bool{}, lossUnknown: map[string]map[*work]bool{},
	}
}

// inspection is the result of inspecting a service.
type inspection struct {
	*work
	err           error
	reportedCause string // text of the event that reports err
	outcome
}

// confirmation is a revision that etcd had at a time.
type confirmation struct {
	rev int64
	at  time.Time
}

// lead schedules services until the term ends.
func (l *leader) lead(ctx context.Context) error {
	// The first decision must see all writes that were acknowledged before the term.
	if _, err := l.Store.Fresh(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	snap, feed := l.Store.Follow()
	l.markAll(snap)
	advances, fresh := make(chan store.Advance), make(chan confirmation)
	begin := func(f func() error) { g.Go(func() error { return contain.Do(f) }) }
	begin(func() error {
		for {
			a, err := feed.Next(ctx)
			if err != nil {
				return err
			}
			select {
			case advances <- a:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	begin(func() error { return l.confirmRevisions(ctx, fresh) })
	begin(func() error { return l.loop(ctx, g, advances, fresh) })
	return g.Wait()
}

// confirmRevisions asks etcd for its revision again and again.
func (l *leader) confirmRevisions(ctx context.Context, fresh chan<- confirmation) error {
	for {
		asked := l.Now()
		snap, err := l.Store.Fresh(ctx)
		if err == nil {
			select {
			case fresh <- confirmation{snap.Revision(), asked}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := pace.Sleep(ctx, confirmEvery); err != nil {
			return err
		}
	}
}

// markAll marks every service and observes every host.
func (l *leader) markAll(snap *store.Snapshot) {
	l.snap = snap
	l.tracker = liveness.New(l.Now())
	for cluster := range snap.Clusters("") {
		for i := range snap.Instances(cluster, "") {
			l.runContained(store.Change{Kind: store.InstanceChanged, Names: store.Names{cluster, i.ID}}, func() { l.observeHost(snap, cluster, i.ID) })
		}
		for s := range snap.Services(cluster, "") {
			if s.Status != fleet.ServiceInactive {
				w := l.workOf(cluster, s.Name)
				w.mayHaveRoom = true
				l.markDirty(w)
			}
		}
	}
}

// loop is the goroutine that decides which service is inspected when.
func (l *leader) loop(ctx context.Context, g *errgroup.Group, advances <-chan store.Advance, fresh <-chan confirmation) error {
	done := make(chan inspection, maxInspections)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var confirmed confirmation
	for {
		now := l.Now()
		for l.running < maxInspections {
			w := l.queue.popDue(now)
			if w == nil {
				break
			}
			l.running++
			w.inspecting, w.dirty = true, false
			room := w.mayHaveRoom
			w.mayHaveRoom = false
			told := w.reportedCause
			g.Go(func() error {
				done <- l.inspect(ctx, w, room, told)
				return nil
			})
		}
		timer.Stop()
		if l.running < maxInspections && len(l.queue) > 0 {
			timer.Reset(max(0, l.queue[0].due.Sub(now)))
		}
		select {
		case a := <-advances:
			l.applyAdvance(a)
		case r := <-done:
			if err := l.applyInspection(r); err != nil {
				return err
			}
		case confirmed = <-fresh:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if confirmed.rev > 0 && l.snap.Revision() >= confirmed.rev {
			l.confirmTracker(confirmed.at)
			confirmed = confirmation{}
		}
	}
}

// confirmTracker confirms to the tracker that its observations were etcd's state at a
// time.
func (l *leader) confirmTracker(at time.Time) {
	func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tracker.Confirm(at)
	}()
	for _, services := range l.lossUnknown {
		for w := range services {
			l.markDirty(w)
		}
	}
}

// applyInspection handles the result of inspecting a service.
func (l *leader) applyInspection(r inspection) error {
	l.running--
	w := r.work
	w.inspecting = false
	now := l.Now()
	switch {
	case errors.Is(r.err, store.ErrDeposed):
		return r.err
	case store.IsItemError(r.err):
		l.setAside(r, now)
	case r.err != nil:
		l.Log.Warn("scheduler: a service could not be kept", "cluster", w.cluster, "service", w.name, "err", r.err)
		w.dirty, w.notBefore = true, now.Add(retryAfter)
		w.mayHaveRoom = w.mayHaveRoom || r.outcome.mayHaveRoom
	case r.gone:
		delete(l.services, serviceKey{w.cluster, w.name})
		setMember(l.unplaced, w, false)
		setMember(l.hostDependent, w, false)
		setMember(l.lossUnknown, w, false)
		l.aside.Forget(serviceKey{w.cluster, w.name})
		if w.dirty { // it was created again
			l.markDirty(l.workOf(w.cluster, w.name))
		}
		return nil
	default:
		l.aside.Forget(serviceKey{w.cluster, w.name})
		w.dirty = w.dirty || r.repeat
		w.mayHaveRoom = w.mayHaveRoom || r.outcome.mayHaveRoom
		w.wake = r.outcome.wake
		w.notBefore = now.Add(max(minSpacing, 2*r.cost, min(costFactor*r.cost, maxSpacing)) + r.pause)
		setMember(l.unplaced, w, r.unplaced)
		setMember(l.hostDependent, w, r.dependsOnHosts)
		setMember(l.lossUnknown, w, r.lossUnknown)
	}
	l.queue.update(w)
	return nil
}

func setMember(in map[string]map[*work]bool, w *work, is bool) {
	if !is {
		delete(in[w.cluster], w)
		if len(in[w.cluster]) == 0 {
			delete(in, w.cluster)
		}
		return
	}
	if in[w.cluster] == nil {
		in[w.cluster] = map[*work]bool{}
	}
	in[w.cluster][w] = true
}

func (l *leader) workOf(cluster, service string) *work {
	w := l.services[serviceKey{cluster, service}]
	if w == nil {
		w = &work{cluster: cluster, name: service, place: -1}
		l.services[serviceKey{cluster, service}] = w
	}
	return w
}

func (l *leader) markDirty(w *work) {
	w.dirty = true
	l.queue.update(w)
}
