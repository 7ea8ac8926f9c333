package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/session"
)

// State is the response of GET /v1/state on the control socket.
type State struct {
	Version        string            `json:"version"`
	InstallationID string            `json:"installationId"`
	Server         string            `json:"server"`
	Cluster        string            `json:"cluster"`
	InstanceArn    string            `json:"instanceArn,omitempty"`
	Connected      bool              `json:"connected"` // orders can reach this host
	Tasks          []engine.TaskView `json:"tasks"`
}

// MoveInput is the body of POST /v1/move, MoveOutput its response. A host with tasks
// responds with 409. The body of every error is {"error": "…"}.
type MoveInput struct {
	Cluster string `json:"cluster"`
}

// MoveOutput describes the new instance.
type MoveOutput struct {
	InstanceArn string `json:"instanceArn"`
	Cluster     string `json:"cluster"`
}

const moveTimeout = 30 * time.Second

// serveControl serves the control socket, which only the agent's user may open.
func serveControl(ctx context.Context, cfg Config, eng *engine.Engine, sess *session.Session) error {
	path := filepath.Join(cfg.Dir, SocketFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("agent: control: %w", err)
	}
	// This process has the journal's lock, so no other agent runs in this folder. An
	// existing socket is left over.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("agent: control: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("agent: control: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/state", func(w http.ResponseWriter, _ *http.Request) {
		id := sess.Identity()
		writeJSON(w, http.StatusOK, State{
			Version: cfg.Version, InstallationID: cfg.Settings.InstallationID, Server: cfg.Settings.Server,
			Cluster: sess.Cluster(), InstanceArn: id.InstanceArn, Connected: sess.IsConnected(), Tasks: eng.Tasks(),
		})
	})
	mux.HandleFunc("POST /v1/move", func(w http.ResponseWriter, r *http.Request) {
		var in MoveInput
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in); err != nil || in.Cluster == "" {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": "a cluster is required"})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), moveTimeout)
		defer cancel()
		id, err := sess.Move(ctx, in.Cluster)
		if err == nil {
			s := *cfg.Settings
			s.Cluster = in.Cluster
			err = s.Write(cfg.Dir)
		}
		switch {
		case errors.Is(err, session.ErrBusy):
			writeJSON(w, http.StatusConflict, map[string]string{"error": err.Error()})
		case err != nil:
			writeJSON(w, http.StatusBadGateway, map[string]string{"error": err.Error()})
		default:
			writeJSON(w, http.StatusOK, MoveOutput{InstanceArn: id.InstanceArn, Cluster: id.Cluster})
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		srv.Close()
	}()
	err = srv.Serve(l)
	cancel()
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails if the caller is gone
}
