// Package frontdoor is the one HTTP server that clients, agents and browsers
// reach. It verifies each request's signature, finds the operation, asks
// whether the caller may, runs the handler, and answers in the protocol that
// the client speaks, also where the answer is no.
//
//	request ─ which protocol, service, operation ─ head in order, key known
//	                                                            │
//	  body within limits ─ signature ─ rate, memory ◄───────────┘
//	                                     │
//	  a mounted path: its handler ◄──────┤
//	  forwarded: its endpoint      ◄─────┤
//	  not served: 400 in the client's protocol
//	  decode ─ authorize ─ handler ─ encode
//
// Nothing is read and no memory taken for a request whose head is not in order.
// What bodies, and what they are decoded into, may hold is bounded in all and for
// each caller; so are the connections that are open without a signed call.
package frontdoor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/forward"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/wire/inflight"
)

// A KeySource finds the secret and owner of an access key, which came with a session
// token if that is not empty. It answers identity.ErrUnknownKey for a key that nobody
// owns, and for one whose token is not its own.
type KeySource interface {
	Key(ctx context.Context, accessKeyID, token string) (secret string, p identity.Principal, err error)
}

// An Authorizer decides whether a request is allowed. An error means that it could
// not decide.
type Authorizer interface {
	Authorize(ctx context.Context, r identity.Request) (identity.Decision, error)
}

// Config is what a Server needs. Account, Region, Keys and Auth must be set.
type Config struct {
	Account  string
	Region   string
	Version  string // shown to browsers
	Keys     KeySource
	Auth     Authorizer
	Services []Service
	// Forwards are where calls for services that are not among Services go on to.
	Forwards []*forward.Upstream
	// Names are those by which browsers may ask, besides addresses and localhost.
	Names []string
	Log   *slog.Logger     // default: slog.Default()
	Now   func() time.Time // default: time.Now
	// BodyLimit is the largest request body in bytes; default 1 MiB.
	BodyLimit int64
	// HandlerTimeout bounds the context of each operation; default 60 s.
	HandlerTimeout time.Duration
}

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second // header and body
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	// shutdownTimeout is how long calls may still take once the server stops.
	shutdownTimeout = 10 * time.Second
)

// Server is the front door. It is made by New and doesn't change once Handler
// or Serve has been called.
type Server struct {
	cfg         Config
	services    []*service
	servedNames string          // their names, for messages
	names       map[string]bool // of Config.Names, in lower case
	// byShape and bySigningName find a service by what a request calls it.
	byShape, bySigningName map[string]*service
	mounts                 map[string]http.Handler
	forwards               map[string]*forward.Upstream // by signing name

	memory memory
	rates  *inflight.Rates // of hosts' calls
	audit  *slog.Logger    // Config.Log, with a bound of its own
	conns  *conns
	drains chan struct{} // refused callers that are heard out

	// calls is held for reading while an operation runs, so that shutdown can
	// wait for all of them.
	calls sync.RWMutex

	// ending ends when the server is to stop: streams end then, so that nobody
	// waits for them.
	ending context.Context
	end    context.CancelFunc
}

// New checks cfg and the services' declarations.
func New(cfg Config) (*Server, error) {
	var missing []string
	for name, unset := range map[string]bool{
		"Account": cfg.Account == "", "Region": cfg.Region == "", "Keys": cfg.Keys == nil, "Auth": cfg.Auth == nil,
	} {
		if unset {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("frontdoor: %s must be set", strings.Join(missing, ", "))
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.BodyLimit == 0 {
		cfg.BodyLimit = 1 << 20
	}
	if cfg.HandlerTimeout == 0 {
		cfg.HandlerTimeout = time.Minute
	}
	s := &Server{
		cfg: cfg, byShape: map[string]*service{}, bySigningName: map[string]*service{}, mounts: map[string]http.Handler{},
		audit: newAudit(cfg.Log), memory: newMemory(), rates: inflight.NewRates(hostCalls, hostCallsBurst), conns: newConns(cfg.Log), drains: make(chan struct{}, maxDrains),
	}
	s.ending, s.end = context.WithCancel(context.Background())
	var names []string
	var errs []error
	for _, decl := range cfg.Services {
		svc, err := newService(decl)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m := svc.Model
		if m.Shape != "" && s.byShape[m.Shape] != nil || s.bySigningName[m.SigningName] != nil {
			errs = append(errs, fmt.Errorf("frontdoor: two services are called %s or %s", m.Shape, m.SigningName))
		}
		s.services = append(s.services, svc)
		s.byShape[m.Shape], s.bySigningName[m.SigningName] = svc, svc
		names = append(names, svc.Model.Name)
	}
	s.forwards = map[string]*forward.Upstream{}
	for _, up := range cfg.Forwards {
		if name := up.Service(); s.bySigningName[name] != nil || s.forwards[name] != nil {
			errs = append(errs, fmt.Errorf("the service %s can't be forwarded: it is served here, or forwarded twice", name))
		}
		s.forwards[up.Service()] = up
	}
	s.names = map[string]bool{}
	for _, n := range cfg.Names {
		s.names[strings.ToLower(n)] = true
	}
	s.servedNames = strings.Join(names, ", ")
	return s, errors.Join(errs...)
}

// Mount serves path (exact) by h behind a verified signature for service ecs:
// the agents' websocket upgrades. The caller is in the request's context; h
// authorizes. It must come before Handler and Serve.
func (s *Server) Mount(path string, h http.Handler) { s.mounts[path] = h }

// Handler is everything that is served.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Serve answers on ln until ctx ends, then lets running calls finish, for ten
// seconds at most. Connections that a mounted handler has taken over
// (websockets) are its owner's to close.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + s.cfg.HandlerTimeout + 10*time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		ConnState:         s.conns.onState,
		ConnContext:       s.conns.onContext,
		// Not ctx: it ends when calls are still to finish.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return errors.Join(err, srv.Close())
	case <-ctx.Done():
	}
	s.end()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		s.cfg.Log.Warn("calls were cut off at shutdown", "after", shutdownTimeout)
		err = srv.Close()
	}
	<-failed
	s.calls.Lock() // those cut off have lost their connection, which ends their context
	defer s.calls.Unlock()
	return err
}
