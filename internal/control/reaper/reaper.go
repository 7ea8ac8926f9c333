// Package reaper deletes records that are no longer needed: stopped tasks, by age and
// by number; client tokens, deleted clusters and capacity providers, and deregistered
// container instances, by age; and deleted revisions of task definitions, once no
// task uses them.
//
// A pure function of a snapshot decides what is due. Only the leader deletes. Each of
// its transactions is guarded by its term and by the records that it deletes.
package reaper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/store"
)

// Limits are how long, and how many, records are retained.
type Limits struct {
	StoppedAge time.Duration // of a stopped task, since it stopped
	Stopped    int           // number of stopped tasks of a cluster
	TokenAge   time.Duration
	DeletedAge time.Duration // of a deleted cluster or capacity provider, or a deregistered instance
}

// Defaults are the limits that apply where none is set.
var Defaults = Limits{StoppedAge: 24 * time.Hour, Stopped: 20_000, TokenAge: 24 * time.Hour, DeletedAge: 24 * time.Hour}

// emptyTokenAge is how long a token is retained that has created no task. It only
// prevents calls that began earlier from being carried out.
const emptyTokenAge = time.Hour

func (l Limits) orDefaults() Limits {
	return Limits{
		StoppedAge: cmp.Or(l.StoppedAge, Defaults.StoppedAge),
		Stopped:    cmp.Or(l.Stopped, Defaults.Stopped),
		TokenAge:   cmp.Or(l.TokenAge, Defaults.TokenAge),
		DeletedAge: cmp.Or(l.DeletedAge, Defaults.DeletedAge),
	}
}

// Reaper deletes what is due. Only one server at a time does so.
type Reaper struct {
	Store  *store.Store
	Server string // name of this server
	Limits Limits // a limit of 0 is the one of Defaults
	Every  time.Duration
	Now    func() time.Time // time.Now unless set
	Log    *slog.Logger
}

// Run deletes what is due, again and again, until ctx or the store ends.
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

// Reap deletes what is due now. An item with a record that can't be read, or that
// causes a panic, is left as it is, and the others are deleted.
func (r *Reaper) Reap(ctx context.Context, term *store.Term) error {
	now := r.Now()
	due := r.Limits.Find(r.Store.Snapshot(), now)
	for _, f := range due.Failed {
		r.logLeft(f.What, f.Err)
	}
	for _, remove := range []func() error{
		func() error { return updateEach(ctx, r, term, due.Tasks, deleteTask) },
		func() error {
			return updateEach(ctx, r, term, due.Tokens, func(tx *store.Tx, t Token) error { return deleteIfPresent(tx, store.TokenKey(t.Cluster, t.Hash)) })
		},
		func() error {
			return updateEach(ctx, r, term, due.Ended, func(tx *store.Tx, i Instance) error { return recordInactive(tx, i, now) })
		},
		func() error { return updateEach(ctx, r, term, due.Instances, deleteInstance) },
		func() error { return r.reapServices(ctx, term, due.Services, now) },
		func() error {
			return updateEach(ctx, r, term, due.Clusters, func(tx *store.Tx, c Cluster) error { return r.Limits.deleteCluster(tx, c.Name, now) })
		},
		func() error {
			return updateEach(ctx, r, term, due.Providers, func(tx *store.Tx, p Provider) error { return r.Limits.deleteProvider(tx, p.Name, now) })
		},
		func() error {
			return updateEach(ctx, r, term, due.Revisions, func(tx *store.Tx, rev Revision) error { return deleteRevision(tx, rev.TaskDefinitionRef) })
		},
	} {
		if err := remove(); err != nil {
			return err
		}
	}
	if len(due.Tasks)+len(due.Tokens)+len(due.Clusters)+len(due.Providers)+len(due.Instances)+len(due.Revisions)+len(due.Services) > 0 {
		r.Log.Info("reaper: forgot what is past its time", "tasks", len(due.Tasks), "tokens", len(due.Tokens),
			"clusters", len(due.Clusters), "providers", len(due.Providers), "instances", len(due.Instances), "revisions", len(due.Revisions), "services", len(due.Services))
	}
	return nil
}

// updateEach runs an update for each of some items, in as few transactions as
// possible. Items for which it fails are logged and left as they are.
func updateEach[T fmt.Stringer](ctx context.Context, r *Reaper, term *store.Term, all []T, do func(*store.Tx, T) error) error {
	left, err := store.UpdateEach(ctx, r.Store, all, term.Guard, do)
	for _, l := range left {
		r.logLeft(l.Item.String(), l.Err)
	}
	return err
}

// logLeft logs that an item is left as it is.
func (r *Reaper) logLeft(what string, err error) {
	r.Log.Error("reaper: something is left as it is, past its time or not", append(contain.Attrs(err), "what", what)...)
}

// update runs a leader's transaction: it commits only while the leader's term lasts.
func (r *Reaper) update(ctx context.Context, term *store.Term, fn func(*store.Tx) error) error {
	return r.Store.Update(ctx, func(tx *store.Tx) error {
		if err := term.Guard(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

// deleteTask deletes a task's records, unless the task is not stopped. A status only
// moves forward, but meanwhile a task may have been deleted and its id used again.
func deleteTask(tx *store.Tx, t Task) error {
	report := store.Get(tx, store.TaskReportKey(t.Cluster, t.ID))
	if report == nil || report.Status != fleet.TaskStopped {
		return nil
	}
	return errors.Join(
		store.Delete(tx, store.TaskReportKey(t.Cluster, t.ID)),
		deleteIfPresent(tx, store.TaskStopKey(t.Cluster, t.ID)),
		deleteIfPresent(tx, store.TaskAmendmentKey(t.Cluster, t.ID)),
		deleteIfPresent(tx, store.TaskHealthKey(t.Cluster, t.ID)),
		deleteIfPresent(tx, store.TaskKey(t.Cluster, t.ID)))
}

func deleteIfPresent[V any](tx *store.Tx, k store.Key[V]) error {
	if store.Get(tx, k) == nil {
		return nil
	}
	return store.Delete(tx, k)
}
