package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// lease is the one etcd lease that a server's sessions live under.
type lease struct {
	mu   sync.Mutex
	id   clientv3.LeaseID
	lost chan struct{} // closed when id has ended
}

// Lease returns the server's lease and grants it first where there is none.
func (s *Store) Lease(ctx context.Context) (clientv3.LeaseID, error) {
	s.lease.mu.Lock()
	defer s.lease.mu.Unlock()
	if s.lease.id != 0 {
		select {
		case <-s.lease.lost:
		default:
			return s.lease.id, nil
		}
	}
	g, err := s.client.Grant(ctx, max(int64(s.cfg.LeaseTTL/time.Second), 1))
	if err != nil {
		return 0, fmt.Errorf("etcd lease: %w", err)
	}
	alive, err := s.client.KeepAlive(s.ctx, g.ID)
	if err != nil {
		return 0, fmt.Errorf("etcd lease: %w", err)
	}
	lost := make(chan struct{})
	s.lease.id, s.lease.lost = g.ID, lost
	s.wg.Go(func() {
		defer close(lost)
		for range alive { // ends when the lease or the store does
		}
	})
	return g.ID, nil
}

// LeaseLost returns a channel that is closed when the present lease has ended:
// what was put under it is gone and must be put again. Without a lease it is
// closed already.
func (s *Store) LeaseLost() <-chan struct{} {
	s.lease.mu.Lock()
	defer s.lease.mu.Unlock()
	if s.lease.lost == nil {
		c := make(chan struct{})
		close(c)
		return c
	}
	return s.lease.lost
}

// revokeLease gives the lease back, so that sessions end at once on an orderly
// shutdown. Where etcd can't be reached the lease ends by itself.
func (s *Store) revokeLease() {
	s.lease.mu.Lock()
	id := s.lease.id
	s.lease.mu.Unlock()
	if id == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()
	if _, err := s.client.Revoke(ctx, id); err != nil {
		s.log.Warn("store: lease not revoked, it ends by itself", "err", err, "ttl", s.cfg.LeaseTTL)
	}
}
