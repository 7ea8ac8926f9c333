package store

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/pace"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// The store repeats a try without an answer until retryFor has passed. The first try
// gets firstTry, several times what a busy etcd takes, and each later try gets more, up
// to longTry. Another member mostly answers the next try. No try lasts longer: a
// request that reaches etcd before it has a new leader is never answered. An embedded
// etcd has no other member, so the store waits for its answer.
const (
	firstTry = 500 * time.Millisecond
	longTry  = time.Second
	tryAgain = 40 * time.Millisecond // the wait between two tries, about
	retryFor = 5 * time.Second
)

func nextTimeout(wait time.Duration) time.Duration { return min(wait*3/2, longTry) }

// withTryTimeout bounds one try. It also makes a member that has lost the other members
// say so at once. On an embedded etcd a try has no limit.
func (s *Store) withTryTimeout(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	if s.cfg.Sole {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(clientv3.WithRequireLeader(ctx), wait)
}

// sendTxn sends a transaction until it gets a definite answer. again says that a try
// got no answer. Such a try may have taken effect, or may yet, whatever the answers of
// the other tries are. So after a try without an answer, sendTxn goes on even when a
// later try is refused. It stops when done says that the transaction took effect, when
// the lease has ended, or after retryFor.
func (s *Store) sendTxn(txn *pb.TxnRequest, done func() bool) (r *pb.TxnResponse, again bool, err error) {
	limit := time.Now().Add(s.cfg.retryFor)
	for wait := firstTry; ; wait = nextTimeout(wait) {
		ctx, cancel := s.withTryTimeout(s.ctx, min(wait, time.Until(limit)))
		r, err := s.kv.Txn(ctx, txn)
		err = clientv3.ContextError(ctx, err)
		cancel()
		if err == nil {
			return r, again, nil
		}
		known := writeError(err)
		if errors.Is(known, ErrFull) {
			s.reportFull()
		}
		again = again || errors.Is(known, ErrUnknown)
		if !again || errors.Is(known, errNoLease) || s.ctx.Err() != nil || time.Now().After(limit) || done != nil && done() {
			return nil, again, err
		}
		s.log.Debug("store: etcd has not carried out a transaction, asking again", "err", err)
		if err := pace.Sleep(s.ctx, pace.About(tryAgain)); err != nil {
			return nil, again, err
		}
	}
}

// findOutcome finds out what became of a transaction after a try without an answer. The
// last try was refused or lost as well. If err is nil it conflicted, with another
// transaction or with the lost try. The transaction has taken effect once the watch has
// brought its id. It has not, and never will, if its lease has ended, or if a
// comparison has failed that can't become true again. Otherwise the lost try may still
// be on its way, and the outcome is ErrUnknown.
func (s *Store) findOutcome(id string, cmps []*pb.Compare, err error) outcome {
	if err != nil {
		err = writeError(err)
	}
	if s.tookEffect(id) || errors.Is(err, ErrUnknown) {
		return s.outcomeByID(id, err)
	}
	seen := s.Snapshot().rev
	r, _, failed := s.sendTxn(&pb.TxnRequest{
		Compare: append(permanent(cmps), compareRevision(s.formatKey, s.formatMod)), Success: s.opsHead(), Failure: s.opsHead(),
	}, nil)
	if failed != nil {
		return s.outcomeByID(id, failed)
	}
	rev, failed := s.check(seen, r)
	if failed != nil {
		return outcome{err: unknown(failed)}
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.retryFor)
	defer cancel()
	if failed := s.wait(ctx, rev); failed != nil {
		return s.outcomeByID(id, failed)
	}
	switch at, known := s.appliedAt(id); {
	case !known:
		return outcome{err: unknown(errHistoryGone)}
	case at > 0:
		return outcome{rev: at, ok: true}
	case errors.Is(err, errNoLease):
		return outcome{err: err}
	case !r.Succeeded:
		return outcome{rev: rev} // a conflict
	case err == nil:
		err = errStillPending
	}
	return outcome{err: unknown(err)}
}

// outcomeByID returns a transaction's outcome as far as the watch has come: it took
// effect, or nothing is known because of why.
func (s *Store) outcomeByID(id string, why error) outcome {
	switch at, _ := s.appliedAt(id); {
	case at > 0:
		return outcome{rev: at, ok: true}
	case errors.Is(why, ErrUnknown):
		return outcome{err: why}
	}
	return outcome{err: unknown(why)}
}

// permanent returns the comparisons that can't become true again once they have failed.
// A record never gets an earlier revision back. A record that had to be absent may
// become absent again, and so may a record below a prefix.
func permanent(cmps []*pb.Compare) []*pb.Compare {
	var out []*pb.Compare
	for _, c := range cmps {
		if len(c.RangeEnd) == 0 && c.GetModRevision() != 0 {
			out = append(out, c)
		}
	}
	return out
}
