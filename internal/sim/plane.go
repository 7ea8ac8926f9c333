package sim

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/server"
	"github.com/ashore/ashore/internal/store"
)

// Plane is a control plane: several servers with an external etcd, or one server with its
// own etcd.
type Plane struct {
	// Etcd are the endpoints of the etcd. Empty means that the one server embeds it.
	// Dir is a folder for the seal key and for the embedded etcd's data.
	Etcd []string
	Dir  string
	Log  *slog.Logger
}

// Server is one server of a Plane in this process, behind a Wire. Its methods are for one
// goroutine.
type Server struct {
	plane *Plane
	wire  *Wire

	srv  *server.Server
	stop context.CancelFunc
	done chan error // Serve's result
}

// Start starts a server.
func (p *Plane) Start(ctx context.Context) (*Server, error) {
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	wire, err := NewWire("")
	if err != nil {
		return nil, err
	}
	s := &Server{plane: p, wire: wire}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, wire.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	p := s.plane
	cfg := server.Config{
		SealKey: func(installation string) string { return filepath.Join(p.Dir, installation+".key") },
		Version: "sim", Log: p.Log,
	}
	if len(p.Etcd) > 0 {
		cfg.External = &store.ConnectConfig{Endpoints: p.Etcd, Log: p.Log}
	} else {
		cfg.Dir = filepath.Join(p.Dir, "etcd")
	}
	srv, err := server.Open(ctx, cfg)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	s.wire.SetTarget(l.Addr().String())
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.srv, s.stop, s.done = srv, stop, make(chan error, 1)
	go func(done chan<- error) { done <- srv.Serve(serving, l) }(s.done)
	return nil
}

// Restart stops the server gracefully and starts it again at the same address.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// Stop stops the server gracefully.
func (s *Server) Stop() error { return s.closeServer() }

// Resume starts a stopped server again at the same address.
func (s *Server) Resume(ctx context.Context) error { return s.start(ctx) }

func (s *Server) closeServer() error {
	if s.srv == nil {
		return nil
	}
	s.stop()
	err := errors.Join(<-s.done, s.srv.Close())
	s.srv = nil
	return err
}

// URL returns the server's address.
func (s *Server) URL() string { return s.wire.URL() }

// Wire returns the network in front of the server.
func (s *Server) Wire() *Wire { return s.wire }

// Close stops the server gracefully.
func (s *Server) Close() error { return errors.Join(s.closeServer(), s.wire.Close()) }

// Client returns a client of this server for the administrator.
func (s *Server) Client() *client.Client {
	in, key := s.srv.Installation(), s.srv.Admin()
	return client.New(local.Admin{
		InstallationID: in.ID, Account: in.Account, Region: in.Region, Endpoint: s.URL(),
		AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey,
	})
}

// Installation returns the control plane's installation.
func (s *Server) Installation() store.Installation { return s.srv.Installation() }

// URLs returns the servers' addresses in order, beginning with the server at index first.
func URLs(first int, servers ...*Server) []string {
	out := make([]string, len(servers))
	for i := range servers {
		out[i] = servers[(first+i)%len(servers)].URL()
	}
	return out
}
