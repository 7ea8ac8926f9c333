// Package serviceevent writes a service's events: its history as ECS shows it. The
// scheduler and the placer use it.
package serviceevent

import (
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// MaxEvents is how many events of a service are retained: as many as ECS shows.
const MaxEvents = 100

// ReadState reads a service's state for a transaction that will write it. It returns
// a new state if the service has none. If the stored one belongs to an earlier
// service of the same name, the new state continues the numbers of its events.
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

// Append adds events to a service's history, and deletes old ones beyond MaxEvents.
// The caller must write the state.
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
			continue // an unreadable record must not be overwritten or deleted
		}
		if store.Get(tx, old) != nil {
			if err := store.Delete(tx, old); err != nil {
				return err
			}
		}
	}
	return nil
}
