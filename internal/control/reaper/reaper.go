// Package reaper forgets what nobody asks for any longer: tasks that have
// stopped, by time and by number, and client tokens and what was deleted
// (clusters, capacity providers) or deregistered (container instances), by
// time; and deleted revisions of task definitions, once no task is of them.
//
// What is due is decided by a pure function of a snapshot. The leader alone
// deletes, and each of its transactions is guarded by its term and by the
// records that it deletes.
package reaper

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/store"
)

// Limits are how much is kept.
type Limits struct {
	StoppedAge time.Duration // of a stopped task
	Stopped    int           // stopped tasks a cluster
	TokenAge   time.Duration
	DeletedAge time.Duration // of a deleted cluster or capacity provider, a deregistered instance
}

// Defaults are the limits unless set.
var Defaults = Limits{StoppedAge: 24 * time.Hour, Stopped: 20_000, TokenAge: 24 * time.Hour, DeletedAge: 24 * time.Hour}

// emptyTokenAge is how long a token is kept that has brought about nothing: it only
// keeps calls from being carried out that had begun before.
const emptyTokenAge = time.Hour

func (l Limits) orDefaults() Limits {
	return Limits{
		StoppedAge: cmp.Or(l.StoppedAge, Defaults.StoppedAge),
		Stopped:    cmp.Or(l.Stopped, Defaults.Stopped),
		TokenAge:   cmp.Or(l.TokenAge, Defaults.TokenAge),
		DeletedAge: cmp.Or(l.DeletedAge, Defaults.DeletedAge),
	}
}

// Due is what can go.
type Due struct {
	Tasks  []Task
	Tokens []Token
	// Clusters and Providers are deleted ones, by name.
	Clusters, Providers []string
	// Instances are deregistered ones. Ended are those that became INACTIVE
	// since the last look: their time begins, and little of them is kept.
	Instances, Ended []Instance
	// Revisions are of task definitions that are being deleted; see unused.
	Revisions []fleet.TaskDefinitionRef
	// Services have records that are past their time.
	Services []Service
}

// Instance names a container instance.
type Instance struct{ Cluster, ID string }

// Task names a task.
type Task struct{ Cluster, ID string }

// Token names a client token by its hash.
type Token struct{ Cluster, Hash string }

// Find returns what is due at a time: of each cluster the tasks that stopped
// longer ago than the limit, and those beyond the number, the ones reported
// first first.
func (l Limits) Find(snap *store.Snapshot, now time.Time) Due {
	d := Due{Clusters: l.clusters(snap, now), Providers: l.providers(snap, now)}
	for cluster := range snap.Clusters("") {
		for hash, t := range snap.Tokens(cluster) {
			age := l.TokenAge
			if len(t.Tasks) == 0 {
				age = min(age, emptyTokenAge)
			}
			if now.Sub(t.CreatedAt) > age {
				d.Tokens = append(d.Tokens, Token{cluster, hash})
			}
		}
		l.inactive(snap, cluster, now, &d)
		d.Services = append(d.Services, l.services(snap, cluster, now)...)
		if snap.Counts(cluster).Stopped == 0 {
			continue
		}
		type stopped struct {
			id  string
			rev int64 // the order of ends: clocks give none
			due bool
		}
		var all []stopped
		for t := range snap.Tasks(cluster, "") {
			if t.Status() == fleet.TaskStopped {
				all = append(all, stopped{t.ID, snap.Reported(cluster, t.ID), now.Sub(ended(t)) > l.StoppedAge})
			}
		}
		slices.SortFunc(all, func(a, b stopped) int { return int(b.rev - a.rev) })
		for i, t := range all {
			if t.due || i >= l.Stopped {
				d.Tasks = append(d.Tasks, Task{cluster, t.id})
			}
		}
	}
	d.Revisions = unused(snap)
	return d
}

// formerInstances is how many deregistered instances of one host are kept.
const formerInstances = 20

// inactive finds a cluster's deregistered instances: those whose time begins, those
// whose time is over, and the oldest of a host that has been too many.
func (l Limits) inactive(snap *store.Snapshot, cluster string, now time.Time, d *Due) {
	hosts := map[string][]*fleet.Instance{}
	for i := range snap.Instances(cluster, "") {
		switch {
		case i.Status != fleet.InstanceInactive:
		case i.InactiveSince.IsZero() || !i.IsFormer(): // those of old are as large as they were
			d.Ended = append(d.Ended, Instance{cluster, i.ID})
		case now.Sub(i.InactiveSince) > l.DeletedAge:
			d.Instances = append(d.Instances, Instance{cluster, i.ID})
		case i.Principal != "":
			hosts[i.Principal] = append(hosts[i.Principal], i)
		}
	}
	for _, former := range hosts {
		if len(former) <= formerInstances {
			continue
		}
		slices.SortFunc(former, func(a, b *fleet.Instance) int {
			return cmp.Or(b.InactiveSince.Compare(a.InactiveSince), b.RegisteredAt.Compare(a.RegisteredAt))
		})
		for _, i := range former[formerInstances:] {
			d.Instances = append(d.Instances, Instance{cluster, i.ID})
		}
	}
}

func ended(t *fleet.TaskState) time.Time {
	for _, at := range []time.Time{t.Report.StoppedAt, t.Report.ExecutionStoppedAt, t.Report.StoppingAt} {
		if !at.IsZero() {
			return at
		}
	}
	return t.CreatedAt
}

// Reaper deletes what is due, on one server at a time.
type Reaper struct {
	Store  *store.Store
	Server string // name of this server
	Limits Limits // each 0 is that of Defaults
	Every  time.Duration
	Now    func() time.Time // time.Now unless set
	Log    *slog.Logger
}

// Run reaps until ctx or the store ends.
func (r *Reaper) Run(ctx context.Context) error {
	r.Limits = r.Limits.orDefaults()
	if r.Every == 0 {
		r.Every = time.Minute
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	return r.Store.Campaign(ctx, "reaper", r.Server, r.lead)
}

func (r *Reaper) lead(ctx context.Context, term *store.Term) error {
	for {
		if err := r.Reap(ctx, term); err != nil {
			return err
		}
		if err := pace.Sleep(ctx, pace.About(r.Every)); err != nil {
			return err
		}
	}
}

// batch is how many tasks go in one transaction: each is five records to
// compare, of etcd's 128.
const batch = 24

// Reap deletes what is due now.
func (r *Reaper) Reap(ctx context.Context, term *store.Term) error {
	due := r.Limits.Find(r.Store.Snapshot(), r.Now())
	for tasks := range slices.Chunk(due.Tasks, batch) {
		err := r.update(ctx, term, func(tx *store.Tx) error {
			for _, t := range tasks {
				if err := forget(tx, t); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for tokens := range slices.Chunk(due.Tokens, batch) {
		err := r.update(ctx, term, func(tx *store.Tx) error {
			for _, t := range tokens {
				if err := drop(tx, store.TokenKey(t.Cluster, t.Hash)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	now := r.Now()
	if err := r.instances(ctx, term, due, now); err != nil {
		return err
	}
	for _, svc := range due.Services {
		if err := r.tidy(ctx, term, svc, now); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		names []string
		do    func(*store.Tx, string, time.Time) error
	}{{due.Clusters, r.Limits.dissolve}, {due.Providers, r.Limits.retire}} {
		for names := range slices.Chunk(list.names, batch) {
			err := r.update(ctx, term, func(tx *store.Tx) error {
				for _, name := range names {
					if err := list.do(tx, name, now); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	for revisions := range slices.Chunk(due.Revisions, batch) {
		err := r.update(ctx, term, func(tx *store.Tx) error {
			for _, rev := range revisions {
				if err := bury(tx, rev); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(due.Tasks)+len(due.Tokens)+len(due.Clusters)+len(due.Providers)+len(due.Instances)+len(due.Revisions)+len(due.Services) > 0 {
		r.Log.Info("reaper: forgot what is past its time", "tasks", len(due.Tasks), "tokens", len(due.Tokens),
			"clusters", len(due.Clusters), "providers", len(due.Providers), "instances", len(due.Instances), "revisions", len(due.Revisions), "services", len(due.Services))
	}
	return nil
}

// update is a transaction of a leader: it commits only while its term lasts.
func (r *Reaper) update(ctx context.Context, term *store.Term, fn func(*store.Tx) error) error {
	return r.Store.Update(ctx, func(tx *store.Tx) error {
		if err := term.Guard(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

// forget deletes a task's records, unless it is not stopped: a status
// only moves forward, but a task may be gone and its id used again.
func forget(tx *store.Tx, t Task) error {
	report := store.Get(tx, store.TaskReportKey(t.Cluster, t.ID))
	if report == nil || report.Status != fleet.TaskStopped {
		return nil
	}
	return errors.Join(
		store.Delete(tx, store.TaskReportKey(t.Cluster, t.ID)),
		drop(tx, store.TaskStopKey(t.Cluster, t.ID)),
		drop(tx, store.TaskAmendmentKey(t.Cluster, t.ID)),
		drop(tx, store.TaskHealthKey(t.Cluster, t.ID)),
		drop(tx, store.TaskKey(t.Cluster, t.ID)))
}

func drop[V any](tx *store.Tx, k store.Key[V]) error {
	if store.Get(tx, k) == nil {
		return nil
	}
	return store.Delete(tx, k)
}
