package engine

import (
	"context"
	"sync"
)

// limiter bounds how many creations and starts the engine gets at once. A start
// goes before any creation: a burst then finishes task by task, and not all of
// it at the end.
type limiter struct {
	mu     sync.Mutex
	free   int
	queues [2][]chan error // by class; each takes one
}

// Classes of a limiter's users.
const (
	startClass = iota
	createClass
)

func newLimiter(n int) *limiter { return &limiter{free: n} }

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

// failWaiting ends the wait of all with an error.
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
