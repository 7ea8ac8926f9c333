// Package inflight bounds the memory of what others send while it is read and
// worked on: in all, and for each of those who send. A sender that asks for more
// waits for a while, then it is refused; others go on.
package inflight

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// ErrShare says that a sender has as much under way as it may, ErrFull that all
// senders together have.
var (
	ErrShare = errors.New("the sender has too much under way")
	ErrFull  = errors.New("too much is under way")
)

// Pool is memory that is lent. It is made by New.
type Pool struct {
	all  *semaphore.Weighted
	size int64
	wait time.Duration

	mu     sync.Mutex
	shares map[string]*share // of those who hold or want some; guarded by mu
}

// share is what one sender may have.
type share struct {
	*semaphore.Weighted
	size         int64
	reservations int // loans; guarded by the pool's mu
}

// New makes a pool of so many bytes. Who asks for more than there is waits so long.
func New(size int64, wait time.Duration) *Pool {
	return &Pool{all: semaphore.NewWeighted(size), size: size, wait: wait, shares: map[string]*share{}}
}

// Reservation is what one message or call holds. It is not for concurrent use.
type Reservation struct {
	pool  *Pool
	owner string
	share *share
	size  int64
}

// Reserve begins a loan of a sender that may hold so many bytes at once. It must be
// given back.
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

// Size is how much the loan holds.
func (l *Reservation) Size() int64 { return l.size }

// Resize has the loan hold at least so many bytes in all.
func (l *Reservation) Resize(ctx context.Context, bytes int64) error {
	more := bytes - l.size
	if more <= 0 {
		return nil
	}
	// What can never be had is not waited for.
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

// Release gives all of it back. Doing it again does nothing.
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
