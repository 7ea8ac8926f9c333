package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/control/serviceevent"
	"github.com/ashore/ashore/internal/store"
)

// A service whose records make the scheduler panic, or can't be read, is set aside.
// The scheduler goes on with the others, and inspects this one again after longer and
// longer times. The log has the stack, and the service's events have the cause.

// inspect inspects a service once. reportedCause is the text of the last event that
// reported why the service was set aside.
func (l *leader) inspect(ctx context.Context, w *work, room bool, told string) inspection {
	r := inspection{work: w, reportedCause: told}
	r.err = contain.Do(func() (err error) {
		r.outcome, err = l.converge(ctx, w.cluster, w.name, room)
		return err
	})
	if !store.IsItemError(r.err) {
		return r
	}
	r.outcome.mayHaveRoom = r.outcome.mayHaveRoom || room
	if r.reportedCause = causeText(w.name, r.err); r.reportedCause != told {
		if err := contain.Do(func() error { return l.writeCauseEvent(ctx, w, r.reportedCause) }); err != nil {
			r.reportedCause = told // it can't be reported now
			l.Log.Warn("scheduler: a service's event is not written", append(contain.Attrs(err), "cluster", w.cluster, "service", w.name)...)
		}
	}
	return r
}

// causeText returns the text of the event of a service that is set aside.
func causeText(service string, err error) string {
	why := "an error in the scheduler; the server's log has more."
	if unreadable := (*store.UnreadableError)(nil); errors.As(err, &unreadable) {
		why = fmt.Sprintf("the stored record %s can't be read.", unreadable.Key)
	}
	return fmt.Sprintf("(service %s) is left as it is for the time being: %s It is looked at again by and by.", service, why)
}

// writeCauseEvent writes an event, if the service still exists.
func (l *leader) writeCauseEvent(ctx context.Context, w *work, text string) error {
	return l.Store.Update(ctx, func(tx *store.Tx) error {
		if err := l.term.Guard(tx); err != nil {
			return err
		}
		svc := store.Get(tx, store.ServiceKey(w.cluster, w.name))
		if svc == nil {
			return nil
		}
		state, err := serviceevent.ReadState(tx, svc)
		if err != nil {
			return err
		}
		if err := serviceevent.Append(tx, svc, state, l.now(), []rollout.Event{rollout.SetAsideEvent(text)}); err != nil {
			return err
		}
		return store.Put(tx, store.ServiceStateKey(svc.Cluster, svc.Name), state)
	})
}

// setAside handles an inspection that failed by a fault of the service's own.
func (l *leader) setAside(r inspection, now time.Time) {
	w := r.work
	times, wait := l.aside.Add(serviceKey{w.cluster, w.name}, now)
	l.Log.Error("scheduler: a service is set aside", append(contain.Attrs(r.err), "cluster", w.cluster, "service", w.name, "times", times, "retry_in", wait)...)
	w.dirty, w.notBefore, w.reportedCause = true, now.Add(wait), r.reportedCause
	w.mayHaveRoom = w.mayHaveRoom || r.outcome.mayHaveRoom
}

// runContained handles a change of one record. If that panics, it logs the panic and
// goes on.
func (l *leader) runContained(c store.Change, f func()) {
	if err := contain.Do(func() error { f(); return nil }); err != nil {
		l.Log.Error("scheduler: a change was not taken in", append(contain.Attrs(err), "kind", c.Kind.String(), "names", c.Names)...)
	}
}
