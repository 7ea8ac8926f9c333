package store

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/pace"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A try that is not answered in firstTry, several times what a busy etcd takes,
// is made again with more time, until insistFor has passed: by another member,
// mostly. None lasts long, for what is asked before etcd has a new leader is not
// answered. An etcd of our own has no other to ask, and is waited for.
const (
	firstTry = 500 * time.Millisecond
	longTry  = time.Second
	tryAgain = 40 * time.Millisecond // after about
	retryFor = 5 * time.Second
)

func nextTimeout(wait time.Duration) time.Duration { return min(wait*3/2, longTry) }

// withTryTimeout bounds one try. A member that has lost the others says so at once.
func (s *Store) withTryTimeout(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	if s.cfg.Sole {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(clientv3.WithRequireLeader(ctx), wait)
}

// sendTxn carries out a transaction that may be sent several times. It tells
// whether a try went unanswered, which may have taken effect or may yet, whatever
// the others' answers are: after a refusal it goes on then, unless done says that
// the transaction has taken effect, or the lease has ended for good.
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

// findOutcome finds out what has become of a transaction of which a try went unanswered
// and the last one was refused, lost as well, or, where err is nil, conflicted:
// against another transaction, or against itself. That it has taken effect is
// known once the watch has brought its id. That it has not and never will is
// certain where its lease has ended, or where a comparison has failed that can't
// come true again. Otherwise the lost try may be on its way still, and nothing is
// known.
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

// outcomeByID is the outcome of a transaction as far as the watch has come: it has
// taken effect, or why nothing is known.
func (s *Store) outcomeByID(id string, why error) outcome {
	switch at, _ := s.appliedAt(id); {
	case at > 0:
		return outcome{rev: at, ok: true}
	case errors.Is(why, ErrUnknown):
		return outcome{err: why}
	}
	return outcome{err: unknown(why)}
}

// permanent are the comparisons that can't come true again once they have failed: a
// record never gets an earlier revision back. One that was to be absent may be
// absent again, and so may one that came below a prefix.
func permanent(cmps []*pb.Compare) []*pb.Compare {
	var out []*pb.Compare
	for _, c := range cmps {
		if len(c.RangeEnd) == 0 && c.GetModRevision() != 0 {
			out = append(out, c)
		}
	}
	return out
}
