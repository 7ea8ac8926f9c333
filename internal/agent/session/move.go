package session

import (
	"context"
	"errors"
	"fmt"
)

// ErrBusy refuses a move while the host has tasks.
var ErrBusy = errors.New("the host still has tasks")

// move is a request to register the host again, in another cluster. Run carries it out.
// Only Run registers, so two moves never mix.
type move struct {
	cluster string
	waiter  context.Context // ends when no one waits for the result any more
	done    chan error      // receives the result
}

// Move registers the host as a new instance of a cluster. It returns when that has
// succeeded or failed. After a failure the host is registered as before.
func (s *Session) Move(ctx context.Context, cluster string) (Identity, error) {
	if n := s.cfg.Engine.CountLive(); n > 0 {
		return Identity{}, fmt.Errorf("%w: %d of them", ErrBusy, n)
	}
	m := &move{cluster: cluster, waiter: ctx, done: make(chan error, 1)}
	s.mu.Lock()
	s.moves = append(s.moves, m)
	if s.interrupt != nil {
		s.interrupt()
	}
	s.mu.Unlock()
	select {
	case err := <-m.done:
		if err != nil {
			return Identity{}, err
		}
		return s.Identity(), nil
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
}

// nextMove returns the first move whose caller still waits, or nil.
func (s *Session) nextMove() *move {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.moves) > 0 {
		m := s.moves[0]
		s.moves = s.moves[1:]
		if m.waiter.Err() == nil {
			return m
		}
	}
	return nil
}

// carryOutMove carries a move out, for as long as its caller waits.
func (s *Session) carryOutMove(ctx context.Context, m *move) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.waiter, cancel)()
	if err := s.register(ctx, m.cluster, Identity{}, true); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Cluster = m.cluster
	return nil
}
