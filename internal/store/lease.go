package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ashore/ashore/internal/pace"
)

// lease is the etcd lease of this server's sessions and elections.
type lease struct {
	mu     sync.Mutex
	id     clientv3.LeaseID
	lost   chan struct{} // closed when the lease has ended
	end    context.CancelFunc
	closed bool
}

// leaseTimeout bounds the requests about leases. A caller without a deadline, or Close,
// never hangs on a silent etcd.
const leaseTimeout = 5 * time.Second

// Lease returns the server's lease. If there is none it grants one.
func (s *Store) Lease(ctx context.Context) (clientv3.LeaseID, error) {
	s.lease.mu.Lock()
	defer s.lease.mu.Unlock()
	if s.lease.closed {
		return 0, s.Err()
	}
	if s.lease.id != 0 {
		select {
		case <-s.lease.lost:
		default:
			return s.lease.id, nil
		}
	}
	if err := s.cfg.Room(0); err != nil {
		return 0, err
	}
	asked := time.Now()
	g, err := s.grant(ctx)
	if err != nil {
		if errors.Is(err, rpctypes.ErrNoSpace) {
			s.reportFull()
			return 0, ErrFull
		}
		return 0, fmt.Errorf("etcd lease: %w", err)
	}
	life, end := context.WithCancel(s.ctx)
	lost := make(chan struct{})
	s.lease.id, s.lease.lost, s.lease.end = g.ID, lost, end
	s.wg.Go(func() {
		defer end()
		defer close(lost)
		s.renewLease(life, g.ID, time.Duration(g.TTL)*time.Second, asked)
	})
	return g.ID, nil
}

// grant makes a lease. A lease whose answer was lost ends by itself.
func (s *Store) grant(ctx context.Context) (*clientv3.LeaseGrantResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	for wait := firstTry; ; wait = nextTimeout(wait) {
		try, end := s.withTryTimeout(ctx, wait)
		g, err := s.client.Grant(try, max(int64(s.cfg.LeaseTTL/time.Second), 1))
		end()
		if err == nil || ctx.Err() != nil || !errors.Is(writeError(err), ErrUnknown) {
			return g, err
		}
		if pace.Sleep(ctx, pace.About(tryAgain)) != nil {
			return nil, err
		}
	}
}

// renewLease keeps a lease alive until it has ended, or until ttl has passed without a
// renewal. Each try is short and may reach another member, because a member that is cut
// off from us does not say so. The time counts from when the renewal was sent. So this
// server gives the lease up before others see its end.
func (s *Store) renewLease(ctx context.Context, id clientv3.LeaseID, ttl time.Duration, renewed time.Time) {
	for {
		rest := ttl / 3
		sent := time.Now()
		try, end := context.WithTimeout(clientv3.WithRequireLeader(ctx), min(ttl/4, time.Until(renewed.Add(ttl))))
		_, err := s.client.KeepAliveOnce(try, id)
		end()
		switch {
		case err == nil:
			renewed = sent
		case errors.Is(err, rpctypes.ErrLeaseNotFound), ctx.Err() != nil:
			return
		default:
			s.log.Debug("store: the lease is not renewed yet", "err", err)
			rest = pace.About(tryAgain)
		}
		if pace.Sleep(ctx, min(rest, time.Until(renewed.Add(ttl)))) != nil || time.Since(renewed) >= ttl {
			return
		}
	}
}

// forgetLease forgets a lease that has ended, as etcd says.
func (s *Store) forgetLease() {
	s.lease.mu.Lock()
	defer s.lease.mu.Unlock()
	if s.lease.id != 0 {
		s.lease.end()
		s.lease.id = 0
	}
}

// LeaseLost returns a channel that is closed when the present lease has ended. The
// records under the lease are gone then and must be written again. Without a lease the
// channel is already closed.
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

// revokeLease revokes the lease, so that sessions end at once on an orderly shutdown.
// If etcd can't be reached, or can't write, the lease ends by itself.
func (s *Store) revokeLease() {
	s.lease.mu.Lock()
	id := s.lease.id
	s.lease.id, s.lease.closed = 0, true
	s.lease.mu.Unlock()
	if id == 0 || s.cfg.Room(0) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 2*time.Second)
	defer cancel()
	if _, err := s.client.Revoke(ctx, id); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.log.Warn("store: lease not revoked, it ends by itself", "err", err, "ttl", s.cfg.LeaseTTL)
	}
}
