// Package scheduler makes services match what is wanted of them: it launches,
// replaces and stops their tasks, updates the states of their deployments, and writes
// their events.
//
//	store's feed ──► queue of services that may need something ──► converge
//	timers ─────────►   (each once, paced)                          │
//	                                              rollout.Step over one snapshot
//	                                                │                     │
//	                             transactions: stops, states,       Placer: new tasks
//	                             events, rollback
//
// One server leads. It decides by the state, never by what a change contains, so a
// lost change only delays it until the next inspection. At the beginning of a term it
// inspects every service. Each of its transactions is guarded by its term and by the
// records on which the decision was made.
package scheduler

import (
	"context"
	"log/slog"
	"time"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// Scheduler runs services. Only one server at a time does so.
type Scheduler struct {
	Store  *store.Store
	Server string // name of this server
	Placer Placer
	Now    func() time.Time // time.Now unless set
	Log    *slog.Logger
}

// Placer finds hosts for the tasks of services.
type Placer interface {
	// LaunchService places as many tasks as there is room for, and stores them
	// together with the result.
	LaunchService(context.Context, placer.ServiceLaunch) (placer.Launched, error)
	// Eligible returns the ids of the hosts that tasks of a revision may run on by
	// the hosts' records, without regard to what is free on them.
	Eligible(*store.Snapshot, *fleet.Service, *fleet.ServiceRevision) ([]string, error)
}

// maxTasks is how many tasks one transaction launches or stops at most, even where
// etcd would accept more: other orders wait for the placer meanwhile.
const maxTasks = 250

// Run schedules services until ctx or the store ends.
func (s *Scheduler) Run(ctx context.Context) error {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	return s.Store.Campaign(ctx, "scheduler", s.Server, func(ctx context.Context, term *store.Term) error {
		return newLeader(s, term).lead(ctx)
	})
}
