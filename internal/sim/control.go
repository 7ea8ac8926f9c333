package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"
)

// LoseInput is the body of POST /v1/lose.
type LoseInput struct {
	Hosts    int  `json:"hosts"`
	Silently bool `json:"silently"` // connections stay open but carry nothing
}

// LoseOutput is the response of POST /v1/lose: the names of the hosts.
type LoseOutput struct {
	Hosts []string `json:"hosts"`
}

// ReturnOutput is the response of POST /v1/return.
type ReturnOutput struct {
	Hosts int `json:"hosts"`
}

// ServeControl serves these requests on a unix socket until ctx ends:
//
//	GET  /v1/stats    Stats
//	POST /v1/lose     LoseInput, LoseOutput
//	POST /v1/return   ReturnOutput
func (f *Fleet) ServeControl(ctx context.Context, path string) error {
	// If no process answers on the socket, an earlier process has left it.
	if c, err := net.Dial("unix", path); err == nil {
		return errors.Join(fmt.Errorf("%s is in use", path), c.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/stats", func(w http.ResponseWriter, _ *http.Request) {
		s, err := f.Stats()
		if err != nil {
			writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, s)
	})
	mux.HandleFunc("POST /v1/lose", func(w http.ResponseWriter, r *http.Request) {
		var in LoseInput
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in); err != nil || in.Hosts < 1 {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": `the body must be {"hosts": N} with N at least 1`})
			return
		}
		writeJSON(w, http.StatusOK, LoseOutput{Hosts: f.Lose(in.Hosts, in.Silently)})
	})
	mux.HandleFunc("POST /v1/return", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, ReturnOutput{Hosts: f.Return()})
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err = <-served:
		return err
	case <-ctx.Done():
	}
	err = srv.Close()
	<-served
	return err
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails if the caller is gone
}
