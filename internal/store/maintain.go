package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/pace"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// maintainEvery is how often the store maintains etcd. An embedded etcd keeps between
// one and two of these intervals of history.
const maintainEvery = 30 * time.Second

// defragFrom is the smallest size of etcd's file that is worth rewriting.
const defragFrom = 64 << 20

// Space is how full etcd is, in bytes. Quota is 0 if etcd does not tell it.
type Space struct{ File, Used, Quota int64 }

// Warning is something that an operator must know.
type Warning struct{ Name, Severity, Text string }

// Space returns etcd's size at the last maintenance.
func (s *Store) Space() Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.space
}

// Warnings returns what an operator must know about the store.
func (s *Store) Warnings() (all []Warning) {
	if w, is := s.unreadableWarning(); is {
		all = append(all, w)
	}
	if w, is := s.unknownWarning(); is {
		all = append(all, w)
	}
	if err := s.cfg.Room(0); err != nil {
		return append(all, Warning{"disk-full", "critical", err.Error()})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch sp := s.space; {
	case s.isFull:
		all = append(all, Warning{"store-full", "critical", ErrFull.Error()})
	case sp.Quota > 0 && sp.File*10 >= sp.Quota*6:
		all = append(all, Warning{"store-filling", "warning", fmt.Sprintf("etcd's file takes %d MiB of its quota of %d MiB (%d MiB in use): at the quota it takes no more writes",
			sp.File>>20, sp.Quota>>20, sp.Used>>20)})
	}
	return all
}

// reportFull notes that etcd refuses writes because it has no space, and starts
// maintenance at once.
func (s *Store) reportFull() {
	s.mu.Lock()
	s.isFull = true
	s.mu.Unlock()
	select {
	case s.refused <- struct{}{}:
	default:
	}
}

// maintain maintains etcd until the store is closed.
func (s *Store) maintain() {
	last := s.Snapshot().rev
	for {
		now := s.Snapshot().rev
		if err := s.maintainOnce(s.ctx, last); err != nil && s.ctx.Err() == nil {
			s.log.Warn("store: looking after etcd", "err", err)
		}
		last = now
		t := time.NewTimer(pace.About(s.cfg.MaintainEvery))
		select {
		case <-t.C:
		case <-s.refused:
			t.Stop()
			// Wait, so that maintenance that frees no space does not run in a loop.
			if pace.Sleep(s.ctx, min(time.Second, s.cfg.MaintainEvery)) != nil {
				return
			}
		case <-s.ctx.Done():
			t.Stop()
			return
		}
	}
}

// maintainOnce measures etcd. If this store maintains etcd, it also discards the
// history before a revision, frees unused space and lets a full etcd write again. All
// of these write.
func (s *Store) maintainOnce(ctx context.Context, before int64) error {
	if err := s.cfg.Room(0); err != nil {
		return err
	}
	endpoints := s.client.Endpoints()
	if len(endpoints) == 0 {
		endpoints = []string{""} // the embedded etcd
	}
	var errs []error
	sp := Space{}
	alarmed := false
	for _, e := range endpoints {
		st, err := s.client.Status(ctx, e)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if st.DbSize > sp.File {
			sp = Space{st.DbSize, st.DbSizeInUse, st.DbSizeQuota}
		}
	}
	if len(errs) == len(endpoints) {
		return errors.Join(errs...)
	}
	alarms, err := s.client.AlarmList(ctx)
	if errors.Is(err, rpctypes.ErrPermissionDenied) && !s.cfg.Maintain {
		alarms, err = new(clientv3.AlarmResponse), nil
	}
	if err != nil {
		return err
	}
	for _, a := range alarms.Alarms {
		alarmed = alarmed || a.Alarm == etcdserverpb.AlarmType_NOSPACE
	}
	if s.cfg.Maintain {
		if alarmed {
			before = s.Snapshot().rev
		}
		if err := s.compact(ctx, before, alarmed); err != nil {
			return err
		}
		sp, err = s.defragment(ctx, endpoints, sp, alarmed)
		if err != nil {
			return err
		}
		if alarmed && (sp.Quota == 0 || sp.File < sp.Quota*95/100) {
			for _, a := range alarms.Alarms {
				if a.Alarm == etcdserverpb.AlarmType_NOSPACE {
					if _, err := s.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
						return err
					}
				}
			}
			alarmed = false
			s.log.Warn("store: etcd had reached its quota; space was freed, it takes writes again",
				"file_bytes", sp.File, "quota_bytes", sp.Quota)
		}
	}
	s.mu.Lock()
	s.space, s.isFull = sp, alarmed
	s.mu.Unlock()
	for _, w := range s.Warnings() {
		s.log.Warn("store: "+w.Text, "warning", w.Name, "severity", w.Severity)
	}
	return nil
}

func (s *Store) compact(ctx context.Context, before int64, wait bool) error {
	if before <= s.compacted {
		return nil
	}
	var opts []clientv3.CompactOption
	if wait {
		opts = append(opts, clientv3.WithCompactPhysical())
	}
	_, err := s.client.Compact(ctx, before, opts...)
	if err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("compact: %w", err)
	}
	s.compacted = before
	return nil
}

// defragment rewrites etcd's file if half of it is unused, or if it is full. It returns
// the file's size afterwards. It rewrites one member after the other, because a member
// answers nothing meanwhile.
func (s *Store) defragment(ctx context.Context, endpoints []string, sp Space, full bool) (Space, error) {
	after := Space{}
	for _, e := range endpoints {
		st, err := s.client.Status(ctx, e)
		if err != nil {
			return sp, err
		}
		if full || st.DbSize >= s.cfg.defragFrom && st.DbSizeInUse*2 <= st.DbSize {
			if err := s.cfg.Room(st.DbSizeInUse); err != nil { // for the copy
				return sp, err
			}
			began := time.Now()
			if _, err := s.client.Defragment(ctx, e); err != nil {
				return sp, fmt.Errorf("defragment: %w", err)
			}
			was := st.DbSize
			if st, err = s.client.Status(ctx, e); err != nil {
				return sp, err
			}
			s.log.Info("store: gave etcd's free space back", "bytes_before", was, "bytes_after", st.DbSize, "took", time.Since(began))
		}
		if st.DbSize > after.File {
			after = Space{st.DbSize, st.DbSizeInUse, st.DbSizeQuota}
		}
	}
	return after, nil
}

// endLeases revokes the leases of earlier processes. On an etcd that only this process
// uses, no process keeps them alive. etcd would wait for their whole time, counted from
// its start.
func (s *Store) endLeases(ctx context.Context) error {
	r, err := s.client.Leases(ctx)
	if err != nil {
		return fmt.Errorf("list etcd's leases: %w", err)
	}
	for _, l := range r.Leases {
		if _, err := s.client.Revoke(ctx, l.ID); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return fmt.Errorf("end an earlier server's lease: %w", err)
		}
	}
	return nil
}
