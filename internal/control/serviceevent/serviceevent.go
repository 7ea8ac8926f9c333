// Package serviceevent keeps a service's events: its history as ECS shows it, which
// the scheduler and the placer write.
package serviceevent

import (
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// Kept is how many events of a service are kept: as many as ECS shows.
const MaxEvents = 100

// StateOf reads a service's state for a transaction that will write it: a new
// one where it has none, or where that is of an earlier service of the name,
// whose events' numbers go on.
func ReadState(tx *store.Tx, s *fleet.Service) (*fleet.ServiceState, error) {
	old := store.Get(tx, store.ServiceStateKey(s.Cluster, s.Name))
	switch {
	case old == nil:
		return &fleet.ServiceState{Service: s.ID}, nil
	case old.Service != s.ID:
		return &fleet.ServiceState{Service: s.ID, Events: old.Events, Extra: old.Extra}, nil
	}
	next := *old
	return &next, nil
}

// Append adds events to a service's history, and takes as many old ones away as are
// beyond those kept. Writing the state is the caller's.
func Append(tx *store.Tx, s *fleet.Service, state *fleet.ServiceState, now time.Time, events []rollout.Event) error {
	for _, e := range events {
		state.Events++
		n := state.Events
		id := fleet.DerivedID("event", s.Cluster, s.Name, s.ID, fmt.Sprint(n))
		err := store.Create(tx, store.ServiceEventKey(s.Cluster, s.Name, n), &fleet.ServiceEvent{
			Number: n, ID: fleet.UUID(id), At: now, Message: e.Message, Type: e.Type, Name: e.Name, Reason: e.Reason,
		})
		if err != nil {
			return err
		}
		if n <= MaxEvents {
			continue
		}
		old := store.ServiceEventKey(s.Cluster, s.Name, n-MaxEvents)
		if store.Readable(tx.Snapshot(), old) != nil {
			continue // it stays: nobody may overwrite it
		}
		if store.Get(tx, old) != nil {
			if err := store.Delete(tx, old); err != nil {
				return err
			}
		}
	}
	return nil
}
