package store

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxOps is etcd's default limit of comparisons, and of operations, in one
// transaction. An external cluster can't be asked for its setting.
const maxOps = 128

// inFlight is how many etcd transactions one server keeps under way: while one
// waits for the disk the next is on its way.
const inFlight = 4

// commit is one transaction on its way through the committer.
type commit struct {
	tx   *Tx
	cmps []clientv3.Cmp
	ops  []clientv3.Op
	done chan outcome
}

type outcome struct {
	rev int64 // to wait for before the next try, or before answering
	ok  bool
	err error
}

// commit hands a transaction to the committer and waits for its outcome: ok, or
// a conflict that shows in the snapshot from revision rev on. After an error of
// etcd it is unknown whether the transaction took effect.
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
		return 0, false, ctx.Err()
	case <-s.ctx.Done():
		return 0, false, s.Err()
	}
}

func (s *Store) prepare(ctx context.Context, tx *Tx) (*commit, error) {
	c := &commit{tx: tx, done: make(chan outcome, 1)}
	for path, mod := range tx.reads {
		c.cmps = append(c.cmps, clientv3.Compare(clientv3.ModRevision(s.root+path), "=", mod))
	}
	for _, prefix := range tx.ranges {
		cmp := clientv3.Compare(clientv3.ModRevision(s.root+prefix), "<", tx.snap.rev+1)
		c.cmps = append(c.cmps, cmp.WithPrefix())
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
		switch data := tx.writes[path]; {
		case data == nil:
			c.ops = append(c.ops, clientv3.OpDelete(s.root+path))
		case tx.leased[path]:
			c.ops = append(c.ops, clientv3.OpPut(s.root+path, string(data), clientv3.WithLease(lease)))
		default:
			c.ops = append(c.ops, clientv3.OpPut(s.root+path, string(data)))
		}
	}
	if max(len(c.cmps), len(c.ops))+1 > maxOps {
		return nil, fmt.Errorf("store: a transaction of %d comparisons and %d writes is over the limit of %d", len(c.cmps)+1, len(c.ops)+1, maxOps)
	}
	return c, nil
}

// commitLoop joins transactions that don't touch the same records into one
// etcd transaction. It waits for what it has under way before it returns.
func (s *Store) commitLoop() {
	slots := make(chan struct{}, inFlight)
	defer func() {
		for range inFlight {
			slots <- struct{}{}
		}
	}()
	var left *commit // did not fit into the last batch
	for {
		first := left
		left = nil
		if first == nil {
			select {
			case first = <-s.commits:
			case <-s.ctx.Done():
				return
			}
		}
		select {
		case slots <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		b := batch{touched: map[string]bool{}}
		b.add(first)
	gather:
		for {
			select {
			case c := <-s.commits:
				if !b.add(c) {
					left = c
					break gather
				}
			default:
				break gather
			}
		}
		go func() {
			defer func() { <-slots }()
			s.send(b.members)
		}()
	}
}

// batch collects transactions that may be one: none reads or writes what
// another writes.
type batch struct {
	members    []*commit
	touched    map[string]bool // key → written by a member, or only read
	cmps, ops  int
	rangeAlone bool
}

func (b *batch) add(c *commit) bool {
	if len(b.members) > 0 {
		if b.rangeAlone || len(c.tx.ranges) > 0 || b.cmps+len(c.cmps)+1 > maxOps || b.ops+len(c.ops)+1 > maxOps {
			return false
		}
		for path := range c.tx.reads { // holds every key that is written
			written, seen := b.touched[path]
			if _, writes := c.tx.writes[path]; seen && (written || writes) {
				return false
			}
		}
	}
	b.members = append(b.members, c)
	b.cmps += len(c.cmps)
	b.ops += len(c.ops)
	b.rangeAlone = len(c.tx.ranges) > 0
	for path := range c.tx.reads {
		_, writes := c.tx.writes[path]
		b.touched[path] = b.touched[path] || writes
	}
	return true
}

// send commits the members as one; if they conflict, each for itself.
func (s *Store) send(members []*commit) {
	var cmps []clientv3.Cmp
	var ops []clientv3.Op
	for _, c := range members {
		cmps = append(cmps, c.cmps...)
		ops = append(ops, c.ops...)
	}
	o := s.txn(cmps, ops)
	if o.err == nil && !o.ok && len(members) > 1 {
		for _, c := range members {
			c.done <- s.txn(c.cmps, c.ops)
		}
		return
	}
	for _, c := range members {
		c.done <- o
	}
}

func (s *Store) txn(cmps []clientv3.Cmp, ops []clientv3.Op) outcome {
	head := s.root + headKey
	same := clientv3.Compare(clientv3.ModRevision(s.formatKey), "=", s.formatMod)
	r, err := s.client.Txn(s.ctx).If(append(cmps[:len(cmps):len(cmps)], same)...).
		Then(append(ops[:len(ops):len(ops)], clientv3.OpPut(head, ""))...).
		Else(clientv3.OpGet(head), clientv3.OpGet(s.formatKey, clientv3.WithKeysOnly())).Commit()
	if err != nil {
		return outcome{err: fmt.Errorf("etcd: %w", err)}
	}
	if r.Succeeded {
		return outcome{rev: r.Header.Revision, ok: true}
	}
	if kvs := r.Responses[1].GetResponseRange().Kvs; len(kvs) != 1 || kvs[0].ModRevision != s.formatMod {
		s.cancel(ErrReplaced)
		return outcome{err: ErrReplaced}
	}
	if kvs := r.Responses[0].GetResponseRange().Kvs; len(kvs) == 1 {
		return outcome{rev: kvs[0].ModRevision}
	}
	return outcome{}
}

type headResult struct {
	rev int64
	err error
}

// head returns the revision of the newest acknowledged write. Calls that come
// while a read is under way share the next one.
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
		var h headResult
		r, err := s.client.Get(s.ctx, s.root+headKey)
		switch {
		case err != nil:
			h.err = fmt.Errorf("etcd: %w", err)
		case len(r.Kvs) == 1:
			h.rev = r.Kvs[0].ModRevision
		}
		for _, c := range askers {
			c <- h
		}
	}
}
