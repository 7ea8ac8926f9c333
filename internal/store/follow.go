package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/pace"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// headKey is the key that every transaction writes. Its revision is the revision of the
// newest acknowledged write. Its value is the transaction's id, see applied.
const headKey = "head"

// stallTime is how long the watch may bring nothing while a waiter waits for a
// revision. Then the store begins the watch again: a member that is cut off from us
// does not say so.
const stallTime = time.Second

// fresh reads every record at one revision into new tables. It starts again if a
// compaction overtakes the reading, or if the application of a record panics.
func fresh(ctx context.Context, s *Store) (*tables, int64, error) {
	for {
		t := newTables()
		t.torn = s.torn
		rev, err := list(ctx, s.client, s.root, func(_ int64, kvs []*mvccpb.KeyValue) error {
			var at *mvccpb.KeyValue
			return s.catchPanic(&at, func() {
				for _, at = range kvs {
					_, _ = t.apply(strings.TrimPrefix(string(at.Key), s.root), recordValue(at), at.ModRevision) // apply sets a bad record aside
				}
			})
		})
		torn := (*tornError)(nil)
		switch {
		case errors.Is(err, rpctypes.ErrCompacted):
		case errors.As(err, &torn):
			if err := s.recordTorn(torn); err != nil {
				return nil, 0, err
			}
		default:
			t.private = false
			return t, rev, err
		}
	}
}

// recordValue returns a record's value. The value is never nil, even if it is empty:
// nil means a deletion.
func recordValue(kv *mvccpb.KeyValue) []byte {
	if kv.Value == nil {
		return []byte{}
	}
	return kv.Value
}

// firstPageRecords is how many records the first read of a listing asks for. Later
// reads ask for about pageBytes. For each page etcd walks over all remaining keys, so a
// few large pages cost least.
const (
	firstPageRecords = 2000
	pageBytes        = 16 << 20
)

// list reads all records below a prefix at one revision, page by page, in key order. It
// reads the next page while each works on one. It returns the revision.
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
		end, from, rev, limit := clientv3.GetPrefixRangeEnd(prefix), prefix, int64(0), firstPageRecords
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
				limit = max(firstPageRecords/10, pageBytes/(bytes/len(r.Kvs)+1))
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

// follow keeps the tables current until the store is closed. If a watch breaks, follow
// continues it where it broke. If the watch's revision was compacted away, or the
// tables were left partly changed, follow replaces the tables by a new listing.
func (s *Store) follow() {
	delay := 10 * time.Millisecond
	lost := false // a listing must replace the tables
	for s.ctx.Err() == nil {
		began := time.Now()
		var err error
		if !lost {
			lost, err = s.watch(s.ctx)
		}
		if torn := (*tornError)(nil); errors.As(err, &torn) {
			lost, err = true, s.recordTorn(torn)
		}
		if lost && err == nil {
			err = s.relist(s.ctx)
			lost = err != nil
		}
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.Warn("store: watch interrupted", "err", err, "retry_in", delay)
			if errors.Is(err, errTooTorn) {
				s.cancel(err)
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

func (s *Store) watch(ctx context.Context) (compacted bool, err error) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	from := s.Snapshot().rev + 1
	answers := s.client.Watch(ctx, s.root, clientv3.WithPrefix(), clientv3.WithRev(from))
	heard := time.Now()
	var builder momentBuilder
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
		before := tab(s.Snapshot())
		changes, aside, err := applyEvents(s, r.Events, &builder)
		if err != nil {
			return false, err
		}
		known := &builder
		if builder.failed {
			known = nil
		}
		publish(s, r.Events[len(r.Events)-1].Kv.ModRevision, changes, known)
		if aside {
			logUnreadable(s, before, s.Snapshot())
		}
		logUnknown(s, before, tab(s.Snapshot()))
	}
}

// applyEvents applies the events that the watch has brought. aside says that it set
// records aside. After an error the tables are partly changed.
func applyEvents(s *Store, events []*clientv3.Event, builder *momentBuilder) (changes []Change, aside bool, err error) {
	changes = make([]Change, 0, len(events))
	now := s.work.(*tables)
	builder.beginBatch(tab(s.Snapshot()), now, s.installation.Base)
	var at *mvccpb.KeyValue
	err = s.catchPanic(&at, func() {
		for i, ev := range events {
			at = ev.Kv
			path, mod := strings.TrimPrefix(string(ev.Kv.Key), s.root), ev.Kv.ModRevision
			if path == headKey {
				s.recordApplied(string(ev.Kv.Value), mod)
			} else if k, names := locate(path); k == nil {
				changes = append(changes, Change{})
				if ev.Type != mvccpb.Event_PUT {
					now.countUnknown(path, false)
				} else if ev.IsCreate() {
					now.countUnknown(path, true)
				}
			} else {
				var data []byte
				if ev.Type == mvccpb.Event_PUT {
					data = recordValue(ev.Kv)
				}
				if now.applyRecord(k, names, path, data, mod) != nil {
					aside = true
				}
				changes = append(changes, k.changed(names))
				builder.noteChange(k, names)
			}
			if i == len(events)-1 || events[i+1].Kv.ModRevision != mod {
				closeRevision(s, builder, mod)
			}
		}
	})
	return changes, aside, err
}

var errStalled = errors.New("etcd is ahead and the watch brings nothing")

// closeRevision closes a revision of a momentBuilder. If that panics, the moments of
// the batch are lost. The tables are complete.
func closeRevision(s *Store, d *momentBuilder, mod int64) {
	if d.failed {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			d.failed = true
			s.log.Error("store: telling what has changed panicked", "revision", mod, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	d.closeRevision(mod)
}

// relist reads everything again and applies the difference, deletions included.
func (s *Store) relist(ctx context.Context) error {
	is, rev, err := fresh(ctx, s)
	if err != nil {
		return err
	}
	s.forgetUnseen()
	was := tab(s.Snapshot())
	changes := diff(was, is)
	s.work = is
	publish(s, rev, changes, nil)
	logUnreadable(s, was, s.Snapshot())
	logUnknown(s, was, tab(s.Snapshot()))
	return nil
}

// publish makes the tables' state the newest snapshot and wakes the waiters. d is nil
// if the store does not know how the state came about.
func publish(s *Store, rev int64, changes []Change, d *momentBuilder) {
	next := &Snapshot{rev: rev, base: s.installation.Base, hidden: s.work.(*tables).copied()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snap.Store(next)
	if d != nil {
		s.moments.add(slices.Clone(d.moments), next.Revision())
	} else {
		s.moments.forget(next.Revision())
	}
	s.history.add(next.Revision(), changes)
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool {
		if w.rev > rev {
			return false
		}
		close(w.done)
		return true
	})
}
