package store

import (
	"context"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxOps is etcd's default limit of comparisons, and of operations, in one transaction.
// An external cluster does not tell its setting. EmbeddedOps is the limit that Embed
// sets. A few large transactions cost etcd, and the watchers of etcd, less than many
// small ones.
const (
	maxOps      = 128
	EmbeddedOps = 1024
)

// inFlight is how many etcd transactions one server has under way at most: while one
// waits for the disk, the next is on its way. Up to alwaysInFlight are sent at once.
// Beyond that, only a transaction is sent that has at least 1/fullPart of what a
// transaction can hold. So under load a few large transactions form by themselves. They
// cost etcd, its followers and the disk less than many small ones.
const (
	inFlight       = 4
	alwaysInFlight = 2
	fullPart       = 4
)

// maxBytes bounds the request of one etcd transaction, keys and comparisons included.
// etcd accepts 1.5 MiB by default. The committer joins no more transactions beyond
// batchBytes.
const (
	maxBytes   = 1400 << 10
	batchBytes = 512 << 10
)

// commit is one transaction on its way through the committer.
type commit struct {
	tx    *Tx
	cmps  []*pb.Compare
	ops   []*pb.RequestOp
	bytes int
	done  chan outcome
}

type outcome struct {
	rev int64 // revision to wait for before the next try, or before the answer
	ok  bool
	err error
}

// commit hands a transaction to the committer and waits for its outcome. ok is false
// after a conflict; the snapshot shows the conflicting write from revision rev on.
func (s *Store) commit(ctx context.Context, tx *Tx) (rev int64, ok bool, err error) {
	c, err := s.prepare(ctx, tx)
	if err != nil {
		return 0, false, err
	}
	select {
	case s.commits <- c:
	case <-ctx.Done():
		return 0, false, ctx.Err()
	case <-s.ctx.Done():
		return 0, false, s.Err()
	}
	select {
	case o := <-c.done:
		return o.rev, o.ok, o.err
	case <-ctx.Done():
		return 0, false, unknown(ctx.Err())
	case <-s.ctx.Done():
		return 0, false, unknown(s.Err())
	}
}

func (s *Store) prepare(ctx context.Context, tx *Tx) (*commit, error) {
	c := &commit{
		tx: tx, done: make(chan outcome, 1), bytes: tx.budget.bytes,
		cmps: make([]*pb.Compare, 0, len(tx.reads)+len(tx.ranges)+1), ops: make([]*pb.RequestOp, 0, len(tx.order)+1),
	}
	for path, mod := range tx.reads {
		c.cmps = append(c.cmps, compareRevision(s.root+path, mod))
	}
	for _, prefix := range tx.ranges {
		c.cmps = append(c.cmps, compareRange(s.root+prefix, tx.snap.rev+1))
	}
	var lease clientv3.LeaseID
	if len(tx.leased) > 0 {
		id, err := s.Lease(ctx)
		if err != nil {
			return nil, err
		}
		lease = id
	}
	for _, path := range tx.order {
		key, data := s.root+path, tx.writes[path]
		switch {
		case data == nil:
			c.ops = append(c.ops, opDelete(key))
		case tx.leased[path]:
			c.ops = append(c.ops, opPut(key, data, lease))
		default:
			c.ops = append(c.ops, opPut(key, data, clientv3.NoLease))
		}
	}
	// txn adds one comparison (the installation's record) and one write (the head).
	if !tx.fits() {
		return nil, fmt.Errorf("%w: %d comparisons and %d writes (up to %d), %d bytes (up to %d)",
			ErrTooLarge, len(c.cmps)+1, len(c.ops)+1, s.cfg.MaxOps, c.bytes, maxBytes)
	}
	return c, nil
}

// commitLoop joins transactions that don't touch the same records into one etcd
// transaction. Before it returns it waits for the transactions that are under way.
func (s *Store) commitLoop() {
	ended := make(chan struct{})
	under := 0 // number of transactions under way
	defer func() {
		for ; under > 0; under-- {
			<-ended
		}
	}()
	b := newBatch(s.cfg.MaxOps)
	var left *commit // a transaction that did not fit into the batch
	for {
		for left == nil && len(s.commits) > 0 {
			if c := <-s.commits; !b.add(c) {
				left = c
			}
		}
		if len(b.members) > 0 && (under < alwaysInFlight || under < inFlight && (left != nil || b.large())) {
			under++
			go func(members []*commit) {
				s.send(members)
				ended <- struct{}{}
			}(b.members)
			b = newBatch(s.cfg.MaxOps)
			if left != nil {
				b.add(left)
				left = nil
			}
			continue
		}
		more := s.commits
		if left != nil {
			more = nil
		}
		select {
		case c := <-more:
			if !b.add(c) {
				left = c
			}
		case <-ended:
			under--
		case <-s.ctx.Done():
			return
		}
	}
}

// batch collects transactions that can be sent as one: none reads or writes what
// another one writes.
type batch struct {
	members    []*commit
	touched    map[string]bool // key → true if a member writes it, false if members only read it
	limit      int             // of cmps, and of ops
	cmps, ops  int
	bytes      int
	rangeAlone bool
}

func newBatch(limit int) *batch { return &batch{limit: limit, touched: map[string]bool{}} }

// large says that a batch is large enough for a transaction of its own.
func (b *batch) large() bool {
	return max(b.cmps, b.ops) > b.limit/fullPart || b.bytes > batchBytes/fullPart
}

func (b *batch) add(c *commit) bool {
	if len(b.members) > 0 {
		if b.rangeAlone || len(c.tx.ranges) > 0 || b.cmps+len(c.cmps)+1 > b.limit || b.ops+len(c.ops)+1 > b.limit || b.bytes+c.bytes > batchBytes {
			return false
		}
		for path := range c.tx.reads { // it contains every key that is written
			written, seen := b.touched[path]
			if _, writes := c.tx.writes[path]; seen && (written || writes) {
				return false
			}
		}
	}
	b.members = append(b.members, c)
	b.cmps += len(c.cmps)
	b.ops += len(c.ops)
	b.bytes += c.bytes
	b.rangeAlone = len(c.tx.ranges) > 0
	for path := range c.tx.reads {
		_, writes := c.tx.writes[path]
		b.touched[path] = b.touched[path] || writes
	}
	return true
}

// send commits the members as one transaction. If one of them conflicts or is refused,
// it commits each member alone.
func (s *Store) send(members []*commit) {
	if len(members) > 1 {
		nc, no := 1, 1
		for _, c := range members {
			nc += len(c.cmps)
			no += len(c.ops)
		}
		cmps, ops := make([]*pb.Compare, 0, nc), make([]*pb.RequestOp, 0, no)
		for _, c := range members {
			cmps = append(cmps, c.cmps...)
			ops = append(ops, c.ops...)
		}
		if o := s.txn(cmps, ops); o.ok || errors.Is(o.err, ErrUnknown) {
			for _, c := range members {
				c.done <- o
			}
			return
		}
	}
	for _, c := range members {
		o := s.txn(c.cmps, c.ops)
		if errors.Is(o.err, errNoLease) {
			s.forgetLease()
		}
		c.done <- o
	}
}

// txn sends one transaction. The slices have capacity for one more element each, and
// txn uses it. If no answer comes, it sends the transaction again, through another
// member where there is one. The transaction compares all that it writes, so it can
// take effect only once. Its id tells whether it did.
func (s *Store) txn(cmps []*pb.Compare, ops []*pb.RequestOp) outcome {
	if err := s.cfg.Room(0); err != nil {
		return outcome{err: err}
	}
	id := s.trackID()
	defer s.untrackID(id)
	head, seen := s.root+headKey, s.Snapshot().rev
	r, again, err := s.sendTxn(&pb.TxnRequest{
		Compare: append(cmps, compareRevision(s.formatKey, s.formatMod)),
		Success: append(ops, opPut(head, []byte(id), clientv3.NoLease)),
		Failure: s.opsHead(),
	}, func() bool { return s.tookEffect(id) })
	switch {
	case err == nil && r.Succeeded && r.Header.Revision <= seen: // each write has a new revision
		s.cancel(ErrWentBack)
		return outcome{err: unknown(ErrWentBack)}
	case err == nil && r.Succeeded:
		return outcome{rev: r.Header.Revision, ok: true}
	case again:
		return s.findOutcome(id, cmps, err)
	case err != nil:
		return outcome{err: writeError(err)}
	}
	rev, err := s.check(seen, r)
	return outcome{rev: rev, err: err}
}

// opsHead returns the operations that read the head and the installation's record.
func (s *Store) opsHead() []*pb.RequestOp {
	return []*pb.RequestOp{opGet(s.root+headKey, false), opGet(s.formatKey, true)}
}

// check returns the head's revision from the answer to opsHead. It ends the store if
// the installation's record was replaced, or if etcd's revision is lower than seen,
// which the store knew before the request.
func (s *Store) check(seen int64, r *pb.TxnResponse) (head int64, err error) {
	if kvs := r.Responses[1].GetResponseRange().Kvs; len(kvs) != 1 || kvs[0].ModRevision != s.formatMod {
		err = ErrReplaced
	} else if r.Header.Revision < seen {
		err = ErrWentBack
	}
	if err != nil {
		s.cancel(err)
		return 0, err
	}
	if kvs := r.Responses[0].GetResponseRange().Kvs; len(kvs) == 1 {
		head = kvs[0].ModRevision
	}
	return head, nil
}

type headResult struct {
	rev int64
	err error
}

// head returns the revision of the newest acknowledged write. Calls that come while a
// read is under way share the next read.
func (s *Store) head(ctx context.Context) (int64, error) {
	c := make(chan headResult, 1)
	select {
	case s.heads <- c:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.ctx.Done():
		return 0, s.Err()
	}
	select {
	case r := <-c:
		return r.rev, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.ctx.Done():
		return 0, s.Err()
	}
}

func (s *Store) headLoop() {
	for {
		var askers []chan headResult
		select {
		case c := <-s.heads:
			askers = append(askers, c)
		case <-s.ctx.Done():
			return
		}
	gather:
		for {
			select {
			case c := <-s.heads:
				askers = append(askers, c)
			default:
				break gather
			}
		}
		seen := s.Snapshot().rev
		r, _, err := s.sendTxn(&pb.TxnRequest{Success: s.opsHead()}, nil)
		var h headResult
		if err != nil {
			h.err = fmt.Errorf("etcd: %w", err)
		} else {
			h.rev, h.err = s.check(seen, r)
		}
		for _, c := range askers {
			c <- h
		}
	}
}
