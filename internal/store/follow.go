package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/pace"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// headKey is written by every transaction. Its revision is that of the newest
// acknowledged write, its value the transaction's id, see applied.
const headKey = "head"

// stallTime is how long who waits for a revision of etcd's lets the watch bring
// nothing at all before it is begun anew: a member that is cut off from us does
// not say so.
const stallTime = time.Second

// fresh reads every record at one revision into new tables. A compaction that
// overtakes the reading starts it again.
func fresh(ctx context.Context, s *Store) (*tables, int64, error) {
	for {
		t := &tables{private: true}
		rev, err := list(ctx, s.client, s.root, func(_ int64, kvs []*mvccpb.KeyValue) error {
			for _, kv := range kvs {
				if _, err := t.apply(strings.TrimPrefix(string(kv.Key), s.root), kv.Value, kv.ModRevision); err != nil {
					return corruptError{err}
				}
			}
			return nil
		})
		if errors.Is(err, rpctypes.ErrCompacted) {
			continue
		}
		t.private = false
		return t, rev, err
	}
}

// page is how many records the first read of a listing asks for, and
// pageBytes about how much the later ones bring: etcd walks over all keys that
// are left for every page, so few large ones cost least.
const (
	page      = 2000
	pageBytes = 16 << 20
)

// list reads all records below a prefix at one revision, page by page, in key
// order. The next page is on its way while each works on one.
func list(ctx context.Context, client *clientv3.Client, prefix string, each func(rev int64, kvs []*mvccpb.KeyValue) error) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan *clientv3.GetResponse)
	var failed error // set before pages is closed
	defer func() {
		cancel()
		for range pages { // until the reader has ended
		}
	}()
	go func() {
		defer close(pages)
		end, from, rev, limit := clientv3.GetPrefixRangeEnd(prefix), prefix, int64(0), page
		for more := true; more; {
			r, err := client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(int64(limit)), clientv3.WithRev(rev))
			if err != nil {
				failed = fmt.Errorf("read the state from etcd: %w", err)
				return
			}
			if rev == 0 {
				rev = r.Header.Revision
			}
			if more = r.More; more {
				from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
				bytes := 0
				for _, kv := range r.Kvs {
					bytes += len(kv.Key) + len(kv.Value)
				}
				limit = max(page/10, pageBytes/(bytes/len(r.Kvs)+1))
			}
			select {
			case pages <- r:
			case <-ctx.Done():
				failed = ctx.Err()
				return
			}
		}
	}()
	rev := int64(0)
	for r := range pages {
		if rev == 0 {
			rev = r.Header.Revision
		}
		if err := each(rev, r.Kvs); err != nil {
			return 0, err
		}
	}
	return rev, failed
}

// follow keeps the tables current until the store is closed. A watch that
// breaks is taken up where it broke; one whose revision was compacted away is
// replaced by a listing.
func (s *Store) follow() {
	delay := 10 * time.Millisecond
	for s.ctx.Err() == nil {
		began := time.Now()
		compacted, err := s.watch(s.ctx)
		if compacted {
			err = s.relist(s.ctx)
		}
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.Warn("store: watch interrupted", "err", err, "retry_in", delay)
			if broken := (corruptError{}); errors.As(err, &broken) {
				s.cancel(broken)
				return
			}
		}
		if time.Since(began) > time.Minute {
			delay = 10 * time.Millisecond
		}
		if pace.Sleep(s.ctx, pace.About(delay)) != nil {
			return
		}
		delay = min(2*delay, 2*time.Second)
	}
}

// corruptError is a record that can't be read: going on would show a state that
// never was.
type corruptError struct{ error }

func (s *Store) watch(ctx context.Context) (compacted bool, err error) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	from := s.Snapshot().rev + 1
	answers := s.client.Watch(ctx, s.root, clientv3.WithPrefix(), clientv3.WithRev(from))
	heard := time.Now()
	var diary diary
	for {
		var r clientv3.WatchResponse
		var more bool
		select {
		case r, more = <-answers:
		case <-s.stalled:
			if time.Since(heard) < stallTime {
				continue
			}
			return false, errStalled
		}
		if !more {
			return false, ctx.Err()
		}
		heard = time.Now()
		if r.CompactRevision > 0 {
			return true, nil
		}
		if err := r.Err(); err != nil {
			return false, err
		}
		if len(r.Events) == 0 {
			continue
		}
		changes := make([]Change, 0, len(r.Events))
		now := s.work.(*tables)
		diary.begin(tab(s.Snapshot()), now, s.installation.Base)
		for i, ev := range r.Events {
			path, mod := strings.TrimPrefix(string(ev.Kv.Key), s.root), ev.Kv.ModRevision
			if path == headKey {
				s.note(string(ev.Kv.Value), mod)
			} else if k, names := locate(path); k == nil {
				changes = append(changes, Change{Kind: UnknownChanged})
			} else {
				var data []byte
				if ev.Type == mvccpb.Event_PUT {
					data = ev.Kv.Value
				}
				if err := now.take(k, names, path, data, mod); err != nil {
					return false, corruptError{err}
				}
				changes = append(changes, k.changed(names))
				diary.touched(k, names)
			}
			if i == len(r.Events)-1 || r.Events[i+1].Kv.ModRevision != mod {
				diary.close(mod)
			}
		}
		publish(s, r.Events[len(r.Events)-1].Kv.ModRevision, changes, &diary)
	}
}

var errStalled = errors.New("etcd is ahead and the watch brings nothing")

// relist reads everything again and applies the difference, deletions included.
func (s *Store) relist(ctx context.Context) error {
	is, rev, err := fresh(ctx, s)
	if err != nil {
		return err
	}
	s.forget()
	changes := diff(s.work.(*tables), is)
	s.work = is
	publish(s, rev, changes, nil)
	return nil
}

// publish makes the tables' state the newest snapshot and wakes who waits. Without
// a diary, how the state came about is not known.
func publish(s *Store, rev int64, changes []Change, d *diary) {
	next := &Snapshot{rev: rev, base: s.installation.Base, held: s.work.(*tables).copied()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snap.Store(next)
	if d != nil {
		s.moments.add(slices.Clone(d.moments), next.Revision())
	} else {
		s.moments.forget(next.Revision())
	}
	s.history.add(changes)
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool {
		if w.rev > rev {
			return false
		}
		close(w.done)
		return true
	})
}
