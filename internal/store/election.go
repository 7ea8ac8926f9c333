package store

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/pace"
	"github.com/go-json-experiment/json/jsontext"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Election is the record that names the leader under a name. It lives under the
// leader's lease.
type Election struct {
	Term   string    `json:"term"` // unique for each term
	Server string    `json:"server"`
	Since  time.Time `json:"since"`

	Extra jsontext.Value `json:",embed"`
}

var elections = Register[Election]("election/*")

// ElectionChanged is the kind of changes of a leader's record.
var ElectionChanged = elections.Changed()

// electionKey names the record of a leader.
func electionKey(name string) Key[Election] { return elections.Key(name) }

// Election returns the leader's record under a name, or nil.
func (s *Snapshot) Election(name string) *Election { return elections.Get(s, name) }

// ErrDeposed says that this server no longer leads.
var ErrDeposed = errors.New("this server no longer leads")

// Term is one server's time as leader.
type Term struct {
	key  Key[Election]
	term string
}

// Guard makes a transaction commit only while the term lasts. So a leader that has not
// noticed the end of its term can't write.
func (t *Term) Guard(tx *Tx) error {
	if e := Get(tx, t.key); e == nil || e.Term != t.term {
		return ErrDeposed
	}
	return nil
}

// Lead runs f on one server at a time under each name. It waits until no server leads.
// f's context ends with the term. Lead returns when f returns, or when ctx or the store
// ends. It resigns before it returns.
func (s *Store) Lead(ctx context.Context, name, server string, f func(context.Context, *Term) error) error {
	t := &Term{electionKey(name), s.newTerm()}
	defer s.endTerm(t.term)
	snap, feed := s.Follow()
	for {
		if s.mayLead(snap.Election(name), t) {
			err := s.elect(ctx, t, server)
			switch {
			case err == nil:
				return s.runTerm(ctx, name, t, feed, f)
			case errors.Is(err, ErrDeposed), errors.Is(err, ErrConflict):
			case ctx.Err() != nil:
				return ctx.Err()
			case s.ctx.Err() != nil:
				return s.Err()
			default:
				level := slog.LevelWarn
				if errors.Is(err, ErrDisk) {
					level = slog.LevelDebug // the disk's own line reports it, once
				}
				s.log.Log(ctx, level, "store: election", "name", name, "err", err)
				if errors.Is(err, ErrUnreadable) {
					s.removeStray(ctx, t.key)
				}
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

// elect writes the record that t leads, unless another term leads.
func (s *Store) elect(ctx context.Context, t *Term, server string) error {
	return s.Update(ctx, func(tx *Tx) error {
		e := Get(tx, t.key)
		switch {
		case !s.mayLead(e, t):
			return ErrDeposed
		case e != nil && e.Term == t.term: // an earlier try took effect although its outcome was unknown
			return nil
		}
		return PutLeased(tx, t.key, &Election{Term: t.term, Server: server, Since: time.Now().UTC()})
	})
}

// removeStray deletes a leader's record that can't be read, unless the record lives
// under a lease. A leader has a lease, so a record without one belongs to no leader. If
// it stayed, no server could ever lead.
func (s *Store) removeStray(ctx context.Context, k Key[Election]) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	key := s.root + k.path
	r, err := s.client.Get(ctx, key)
	if err == nil && len(r.Kvs) == 1 && r.Kvs[0].Lease == 0 {
		_, err = s.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", r.Kvs[0].ModRevision)).Then(clientv3.OpDelete(key)).Commit()
		s.log.Warn("store: a record of who leads could not be read and was nobody's: it is removed", "key", key, "err", err)
		return
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("store: election", "key", key, "err", err)
	}
}

// newTerm makes the id of a term of this store. The store may lead with it until
// endTerm.
func (s *Store) newTerm() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.termCount++
	term := s.self + "." + strconv.FormatInt(s.termCount, 10)
	if s.terms == nil {
		s.terms = map[string]bool{}
	}
	s.terms[term] = true
	return term
}

// endTerm ends a term. A record of that term no longer counts.
func (s *Store) endTerm(term string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.terms, term)
}

// mayLead says whether t may lead while e is the leader's record. The record may be t's
// own, from a write whose outcome was unknown. It may also come from an earlier term of
// this store that could not resign, or whose election took effect too late. This
// store's lease keeps such a record alive, so no other server could ever lead.
func (s *Store) mayLead(e *Election, t *Term) bool {
	if e == nil || e.Term == t.term {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.HasPrefix(e.Term, s.self+".") && !s.terms[e.Term]
}

// These are the waits between two terms of a Campaign. After a deposition it campaigns
// again at once. After a failure it waits, each time longer.
const (
	retryElection = 20 * time.Millisecond
	firstWait     = time.Second
	longestWait   = time.Minute
)

// Campaign leads under a name whenever it can. It returns the reason when ctx or the
// store ends. If f fails or panics, Campaign logs the error, and another server may
// lead.
func (s *Store) Campaign(ctx context.Context, name, server string, f func(context.Context, *Term) error) error {
	failed := firstWait
	for {
		var began time.Time
		err := s.Lead(ctx, name, server, func(ctx context.Context, t *Term) error {
			began = time.Now()
			return contain.Do(func() error { return f(ctx, t) })
		})
		rest := retryElection
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.ctx.Err() != nil:
			return s.Err()
		case err != nil && !errors.Is(err, ErrDeposed):
			if time.Since(began) > longestWait {
				failed = firstWait
			}
			s.log.Warn("store: a leader has failed", append(contain.Attrs(err), "name", name, "retry_in", failed)...)
			rest, failed = failed, min(2*failed, longestWait)
		}
		if err := pace.Sleep(ctx, pace.About(rest)); err != nil {
			return err
		}
	}
}

// runTerm runs f while the term lasts, and then resigns.
func (s *Store) runTerm(ctx context.Context, name string, t *Term, feed *Feed, f func(context.Context, *Term) error) error {
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
		s.log.Warn("store: not resigned: a later term of this server takes over, or the record ends with the lease", "name", name, "err", rerr)
	}
	return err
}
