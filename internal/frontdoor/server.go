// Package frontdoor is the HTTP server for clients, agents and browsers. It verifies
// each request's signature, finds the operation, authorizes the caller, runs the
// handler, and answers in the client's protocol. It answers refusals in that protocol,
// too.
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
// The server reads no body and uses no memory for a request whose head is wrong. It
// bounds the memory of bodies and of decoded inputs, in all and for each caller. It
// also bounds the number of connections without a signed call.
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
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/inflight"
)

// A KeySource finds the secret and the owner of an access key. token is the session
// token of the request, empty if there is none. Key returns identity.ErrUnknownKey for
// an unknown key, and for a key that does not belong to the token.
type KeySource interface {
	Key(ctx context.Context, accessKeyID, token string) (secret string, p identity.Principal, err error)
}

// An Authorizer decides whether a request is allowed. An error means that it could not
// decide.
type Authorizer interface {
	Authorize(ctx context.Context, r identity.Request) (identity.Decision, error)
	// Decide decides by a snapshot alone.
	Decide(s *store.Snapshot, r identity.Request) (identity.Decision, error)
	// Fresh returns the newest state: see Snapshot.
	Fresh(ctx context.Context) (*store.Snapshot, error)
}

// Config is what a Server needs. Account, Region, Keys and Auth must be set.
type Config struct {
	Account  string
	Region   string
	Version  string // shown to browsers
	Keys     KeySource
	Auth     Authorizer
	Services []Service
	// Forwards are the endpoints for calls of services that are not in Services.
	Forwards []*forward.Upstream
	// Names are the host names under which browsers may ask. They may always use
	// addresses and localhost.
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
	// shutdownTimeout is how long running calls may take after the server stops.
	shutdownTimeout = 10 * time.Second
)

// Server is the front door. New makes it. It doesn't change after Handler or Serve was
// called.
type Server struct {
	cfg         Config
	services    []*service
	servedNames string          // their names, for messages
	names       map[string]bool // of Config.Names, in lower case
	// byShape and bySigningName find a service by the names that requests use.
	byShape, bySigningName map[string]*service
	mounts                 map[string]http.Handler
	forwards               map[string]*forward.Upstream // by signing name

	memory memory
	rates  *inflight.Rates // of hosts' calls
	audit  *slog.Logger    // Config.Log with a rate limit of its own
	conns  *conns
	drains chan struct{} // refused callers whose body is still being read

	// calls is locked for reading while an operation runs, so that Serve can wait for
	// all operations at its end.
	calls sync.RWMutex

	// ending ends when the server begins to stop. Streams end then.
	ending context.Context
	end    context.CancelFunc
}

// New checks cfg and the services' declarations, and returns a Server.
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

// Mount serves path (an exact match) by h, after the signature was verified for service
// ecs. The agents' websocket upgrades use it. The caller is in the request's context. h
// authorizes the call. Mount must come before Handler and Serve.
func (s *Server) Mount(path string, h http.Handler) { s.mounts[path] = h }

// Handler returns the handler of all requests.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Serve serves on ln until ctx ends. Then running calls may take ten seconds more. A
// connection that a mounted handler has taken over (a websocket) is closed by that
// handler's owner.
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
		// Not ctx: calls must finish after ctx has ended.
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
	s.calls.Lock() // calls that were cut off have lost their connection, which ends their context
	defer s.calls.Unlock()
	return err
}
