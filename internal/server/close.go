package server

import (
	"context"
	"errors"
	"time"
)

// closeLimit bounds the part of the shutdown that is only a courtesy: other servers see
// the end of our sessions with the lease anyway.
const closeLimit = 5 * time.Second

// Close ends everything that Open began, in reverse order, and waits for it.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	s.serving.Store(false)
	var errs []error
	if s.link != nil {
		errs = append(errs, s.link.Close(ctx))
	}
	for _, up := range s.upstreams {
		up.Close()
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	switch {
	case s.embedded != nil:
		errs = append(errs, s.embedded.Close())
	case s.client != nil:
		errs = append(errs, s.client.Close())
	}
	return errors.Join(errs...)
}
