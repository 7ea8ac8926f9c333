package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
	"github.com/go-json-experiment/json/jsontext"
)

// Election is the record of who leads under a name. It lives under the
// leader's lease.
type Election struct {
	Term   string    `json:"term"` // unique for each time that someone leads
	Server string    `json:"server"`
	Since  time.Time `json:"since"`

	Extra jsontext.Value `json:",embed"`
}

// ErrDeposed says that another server leads by now, or none.
var ErrDeposed = errors.New("this server no longer leads")

// Term is one server's time as leader.
type Term struct {
	key  Key[Election]
	term string
}

// Guard makes a transaction commit only while the term lasts: a leader that
// has not noticed its end can't write.
func (t *Term) Guard(tx *Tx) error {
	if e := Get(tx, t.key); e == nil || e.Term != t.term {
		return ErrDeposed
	}
	return nil
}

// Lead runs f, one server at a time under each name: it waits until no one
// leads, and f's context ends with the term. Lead returns when f does, or when
// ctx or the store ends, and resigns first.
func (s *Store) Lead(ctx context.Context, name, server string, f func(context.Context, *Term) error) error {
	t := &Term{electionKey(name), fleet.NewID()}
	snap, feed := s.Follow()
	for {
		if snap.Election(name) == nil {
			err := s.Update(ctx, func(tx *Tx) error {
				if e := Get(tx, t.key); e != nil {
					if e.Term == t.term { // an earlier try that was not known to have worked
						return nil
					}
					return ErrDeposed
				}
				return PutLeased(tx, t.key, &Election{Term: t.term, Server: server, Since: time.Now().UTC()})
			})
			switch {
			case err == nil:
				return s.serve(ctx, name, t, feed, f)
			case errors.Is(err, ErrDeposed), errors.Is(err, ErrConflict):
			case ctx.Err() != nil:
				return ctx.Err()
			case s.ctx.Err() != nil:
				return s.Err()
			default:
				s.log.Warn("store: election", "name", name, "err", err)
				if err := pace.Sleep(ctx, s.cfg.LeaseTTL/4); err != nil {
					return err
				}
				snap = s.Snapshot()
				continue
			}
		}
		a, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		snap = a.Next
	}
}

// Between two terms of a Campaign: after a deposition it stands again at once,
// after a failure it waits, longer from one to the next.
const (
	standAgain = 20 * time.Millisecond
	firstRest  = time.Second
	longRest   = time.Minute
)

// Campaign leads under a name whenever it can, until ctx or the store ends: it
// returns why. Where f fails its error is logged and another server may lead.
func (s *Store) Campaign(ctx context.Context, name, server string, f func(context.Context, *Term) error) error {
	failed := firstRest
	for {
		var began time.Time
		err := s.Lead(ctx, name, server, func(ctx context.Context, t *Term) error {
			began = time.Now()
			return f(ctx, t)
		})
		rest := standAgain
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.ctx.Err() != nil:
			return s.Err()
		case err != nil && !errors.Is(err, ErrDeposed):
			if time.Since(began) > longRest {
				failed = firstRest
			}
			s.log.Warn("store: a leader has failed", "name", name, "err", err, "retry_in", failed)
			rest, failed = failed, min(2*failed, longRest)
		}
		if err := pace.Sleep(ctx, pace.About(rest)); err != nil {
			return err
		}
	}
}

// serve runs f while the term lasts.
func (s *Store) serve(ctx context.Context, name string, t *Term, feed *Feed, f func(context.Context, *Term) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	lost := s.LeaseLost()
	var watchers sync.WaitGroup
	watchers.Go(func() {
		select {
		case <-lost:
			cancel(ErrDeposed)
		case <-s.ctx.Done():
			cancel(s.Err())
		case <-ctx.Done():
		}
	})
	watchers.Go(func() {
		for {
			a, err := feed.Next(ctx)
			if err != nil {
				return
			}
			if e := a.Next.Election(name); e == nil || e.Term != t.term {
				cancel(ErrDeposed)
				return
			}
		}
	})
	err := f(ctx, t)
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	cancel(nil)
	watchers.Wait()
	resign, end := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer end()
	if rerr := s.Update(resign, func(tx *Tx) error {
		if t.Guard(tx) != nil {
			return nil
		}
		return Delete(tx, t.key)
	}); rerr != nil && s.ctx.Err() == nil {
		s.log.Warn("store: not resigned, the lease ends by itself", "name", name, "err", rerr)
	}
	return err
}
