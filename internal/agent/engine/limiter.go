package engine

import (
	"context"
	"sync"
)

// limiter bounds how many creations and starts run in the runtime at the same time. A
// start has priority over every creation. So the tasks of a burst finish one after the
// other, and not all of them at the end.
type limiter struct {
	mu     sync.Mutex
	free   int
	queues [2][]chan error // by class; each element waits for one turn
}

// Classes of calls, by priority.
const (
	startClass = iota
	createClass
)

func newLimiter(n int) *limiter { return &limiter{free: n} }

// acquire waits for a turn. It returns an error if the context ends or failWaiting is
// called; then there is nothing to release.
func (l *limiter) acquire(ctx context.Context, class int) error {
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		return nil
	}
	turn := make(chan error, 1)
	l.queues[class] = append(l.queues[class], turn)
	l.mu.Unlock()
	select {
	case err := <-turn:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	for i, w := range l.queues[class] {
		if w == turn {
			l.queues[class] = append(l.queues[class][:i], l.queues[class][i+1:]...)
			l.mu.Unlock()
			return ctx.Err()
		}
	}
	l.mu.Unlock()
	if err := <-turn; err == nil {
		l.release() // its turn came at the same moment
	}
	return ctx.Err()
}

// failWaiting ends every wait with err.
func (l *limiter) failWaiting(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for class, q := range l.queues {
		l.queues[class] = nil
		for _, turn := range q {
			turn <- err
		}
	}
}

// release gives the turn to the next caller that waits.
func (l *limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for class := range l.queues {
		if q := l.queues[class]; len(q) > 0 {
			l.queues[class] = q[1:]
			q[0] <- nil
			return
		}
	}
	l.free++
}
