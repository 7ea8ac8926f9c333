package main

import (
	"errors"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/ashore/ashore/internal/local"
)

// pprofFlags serves Go's profiles of the process to developers.
type pprofFlags struct {
	Pprof string `hidden:"" placeholder:"ADDR" help:"Serve profiles on this loopback address."`
}

// serve begins to serve profiles if the flag is set.
func (p pprofFlags) serve() (stop func() error, err error) {
	if p.Pprof == "" {
		return func() error { return nil }, nil
	}
	if err := checkLoopback(p.Pprof); err != nil {
		return nil, err
	}
	l, err := local.Listen(p.Pprof, "--pprof")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	return func() error {
		err := srv.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}
