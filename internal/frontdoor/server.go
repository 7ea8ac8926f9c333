// Package frontdoor is the one HTTP server that clients, agents and browsers
// reach. It verifies each request's signature, finds the operation, asks
// whether the caller may, runs the handler, and answers in the protocol that
// the client speaks, also where the answer is no.
package frontdoor

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/ashore/ashore/internal/identity"
)

// A KeySource finds the secret and owner of an access key. It answers
// identity.ErrUnknownKey for a key that nobody owns.
type KeySource interface {
	Key(ctx context.Context, accessKeyID string) (secret string, p identity.Principal, err error)
}

// An Authorizer decides whether a principal may do action on all of resources.
// Any error refuses, as AccessDeniedException with the error's text.
type Authorizer interface {
	Authorize(ctx context.Context, p identity.Principal, action string, resources []string) error
}

// Config is what a Server needs. Account, Region, Keys and Auth must be set.
type Config struct {
	Account  string
	Region   string
	Version  string // shown to browsers
	Keys     KeySource
	Auth     Authorizer
	Services []Service
	Log      *slog.Logger     // default: slog.Default()
	Now      func() time.Time // default: time.Now
	// BodyLimit is the largest request body in bytes; default 1 MiB.
	BodyLimit int64
	// HandlerTimeout bounds the context of each operation; default 60 s.
	HandlerTimeout time.Duration
}

// Server is the front door. It is made by New and doesn't change once Handler
// or Serve has been called.
type Server struct {
	cfg Config
}

// New checks cfg and the services' declarations.
func New(cfg Config) (*Server, error) {
	return nil, errors.New("frontdoor: not built yet")
}

// Mount serves path (exact) by h behind a verified signature for service ecs:
// the agents' websocket upgrades. The caller is in the request's context; h
// authorizes. It must come before Handler and Serve.
func (s *Server) Mount(path string, h http.Handler) {}

// Handler is everything that is served.
func (s *Server) Handler() http.Handler { return nil }
