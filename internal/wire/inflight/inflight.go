// Package inflight bounds the memory of messages and calls while they are read and
// handled: in total, and for each sender. A sender that asks for more waits for a while
// and is then refused. Other senders go on.
package inflight

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// ErrShare means that one sender uses as much memory as it may. ErrFull means that all
// senders together do.
var (
	ErrShare = errors.New("the sender has too much under way")
	ErrFull  = errors.New("too much is under way")
)

// Pool is memory that senders reserve. New makes it.
type Pool struct {
	all  *semaphore.Weighted
	size int64
	wait time.Duration

	mu     sync.Mutex
	shares map[string]*share // of senders with reservations; guarded by mu
}

// share is the memory that one sender may use.
type share struct {
	*semaphore.Weighted
	size         int64
	reservations int // open reservations; guarded by the pool's mu
}

// New makes a pool of size bytes. A sender waits for at most wait when there is not
// enough.
func New(size int64, wait time.Duration) *Pool {
	return &Pool{all: semaphore.NewWeighted(size), size: size, wait: wait, shares: map[string]*share{}}
}

// Reservation is the memory of one message or call. It is not for concurrent use.
type Reservation struct {
	pool  *Pool
	owner string
	share *share
	size  int64
}

// Reserve opens an empty reservation for a sender that may use at most most bytes at once.
// The caller must release it.
func (p *Pool) Reserve(owner string, most int64) *Reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shares[owner]
	if s == nil {
		s = &share{Weighted: semaphore.NewWeighted(most), size: most}
		p.shares[owner] = s
	}
	s.reservations++
	return &Reservation{pool: p, owner: owner, share: s}
}

// Size returns the bytes that are reserved.
func (l *Reservation) Size() int64 { return l.size }

// Resize enlarges the reservation to bytes in total. It never shrinks it. The error is
// ErrShare, ErrFull or the context's.
func (l *Reservation) Resize(ctx context.Context, bytes int64) error {
	more := bytes - l.size
	if more <= 0 {
		return nil
	}
	// Do not wait for what can never be available.
	if bytes > l.share.size {
		return ErrShare
	}
	if bytes > l.pool.size {
		return ErrFull
	}
	if l.share.TryAcquire(more) {
		if l.pool.all.TryAcquire(more) {
			l.size = bytes
			return nil
		}
		l.share.Release(more)
	}
	wait, cancel := context.WithTimeout(ctx, l.pool.wait)
	defer cancel()
	if l.share.Acquire(wait, more) != nil {
		return l.waitError(ctx, ErrShare)
	}
	if l.pool.all.Acquire(wait, more) != nil {
		l.share.Release(more)
		return l.waitError(ctx, ErrFull)
	}
	l.size = bytes
	return nil
}

func (l *Reservation) waitError(ctx context.Context, why error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return why
}

// Release releases all of it. A second call does nothing.
func (l *Reservation) Release() {
	if l.share == nil {
		return
	}
	if l.size > 0 {
		l.pool.all.Release(l.size)
		l.share.Release(l.size)
	}
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if l.share.reservations--; l.share.reservations == 0 {
		delete(l.pool.shares, l.owner)
	}
	l.share, l.size = nil, 0
}
