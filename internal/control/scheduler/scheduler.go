// Package scheduler brings services to what is wanted of them: it launches,
// replaces and stops their tasks, moves their deployments on, and says so in
// their events.
//
//	store's feed ──► queue of services that may need something ──► converge
//	timers ─────────►   (each once, paced)                          │
//	                                              rollout.Step over one snapshot
//	                                                │                     │
//	                             transactions: stops, states,       Placer: new tasks
//	                             events, rollback
//
// One server leads. It works from the state, never from what a change says, so
// whatever was lost on the way costs at most the time to the next look; at the
// beginning of a term it looks at every service. Each of its transactions is
// guarded by its term and by the records that the decision rested on.
package scheduler

import (
	"context"
	"log/slog"
	"time"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// Scheduler keeps services, on one server at a time.
type Scheduler struct {
	Store  *store.Store
	Server string // name of this server
	Placer Placer
	Now    func() time.Time // time.Now unless set
	Log    *slog.Logger
}

// Placer finds hosts for the tasks of services.
type Placer interface {
	// LaunchService places tasks as far as there is room, and stores them with what
	// became of it.
	LaunchService(context.Context, placer.ServiceLaunch) (placer.Launched, error)
	// Eligible are the hosts that tasks of a revision may run on by what they
	// are, whatever is free on them.
	Eligible(*store.Snapshot, *fleet.Service, *fleet.ServiceRevision) ([]string, error)
}

// mostTasks bounds what is launched, or stopped, in one transaction where etcd would
// take more: others wait for the placer meanwhile.
const maxTasks = 250

// Run keeps services until ctx or the store ends.
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
