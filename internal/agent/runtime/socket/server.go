// Package socket lets an agent use a container engine in another process by a unix socket.
// So a simulated host's agent can be killed while its machine goes on. Calls are JSON over
// HTTP. Errors keep their kind.
package socket

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

type request struct {
	Name    string            `json:",omitempty"` // an id, a name, or an image's reference
	Spec    runtime.Spec      `json:",omitzero"`
	Timeout time.Duration     `json:",omitempty"`
	Force   bool              `json:",omitempty"`
	Labels  map[string]string `json:",omitempty"`
	Volume  runtime.Volume    `json:",omitzero"`
	Command *command          `json:",omitempty"`
	From    runtime.Position  `json:",omitzero"`
}

type response[T any] struct {
	Out     T
	Failure *failure `json:",omitempty"`
}

type failure struct {
	Kind string `json:",omitempty"`
	Text string
}

var kinds = map[string]error{
	"not found": runtime.ErrNotFound, "name taken": runtime.ErrNameTaken, "port taken": runtime.ErrPortTaken,
	"running": runtime.ErrRunning, "config": runtime.ErrConfig, "unreachable": runtime.ErrUnreachable,
	"not running": runtime.ErrNotRunning, "unsupported": runtime.ErrUnsupported,
}

func toFailure(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error()}
	for name, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kind = name
		}
	}
	return f
}

func (f *failure) toError() error {
	if f == nil {
		return nil
	}
	return &runtime.Error{Kind: kinds[f.Kind], Err: errors.New(f.Text)}
}

// Server serves one engine.
type Server struct {
	rt   runtime.Runtime
	http *http.Server
	done chan struct{}
}

// Serve creates the socket and serves until Close.
func Serve(rt runtime.Runtime, path string) (*Server, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	s := &Server{rt: rt, http: &http.Server{Handler: mux}, done: make(chan struct{})}
	handle(mux, "ping", func(ctx context.Context, _ request) (none, error) { return none{}, rt.Ping(ctx) })
	handle(mux, "info", func(ctx context.Context, _ request) (runtime.Info, error) { return rt.Info(ctx) })
	handle(mux, "image", func(ctx context.Context, r request) (runtime.Image, error) { return rt.Image(ctx, r.Name) })
	handle(mux, "pull", func(ctx context.Context, r request) (none, error) { return none{}, rt.Pull(ctx, r.Name, func() {}) })
	handle(mux, "removeimage", func(ctx context.Context, r request) (none, error) { return none{}, rt.RemoveImage(ctx, r.Name) })
	handle(mux, "create", func(ctx context.Context, r request) (runtime.Created, error) { return rt.Create(ctx, r.Spec) })
	handle(mux, "start", func(ctx context.Context, r request) (none, error) { return none{}, rt.Start(ctx, r.Name) })
	handle(mux, "stop", func(ctx context.Context, r request) (none, error) { return none{}, rt.Stop(ctx, r.Name, r.Timeout) })
	handle(mux, "remove", func(ctx context.Context, r request) (none, error) { return none{}, rt.Remove(ctx, r.Name, r.Force) })
	handle(mux, "inspect", func(ctx context.Context, r request) (runtime.Container, error) { return rt.Inspect(ctx, r.Name) })
	handle(mux, "list", func(ctx context.Context, r request) ([]runtime.Container, error) { return rt.List(ctx, r.Labels) })
	handle(mux, "stats", func(ctx context.Context, r request) (runtime.Stats, error) { return rt.Stats(ctx, r.Name) })
	handle(mux, "createvolume", func(ctx context.Context, r request) (none, error) { return none{}, rt.CreateVolume(ctx, r.Volume) })
	handle(mux, "volumeexists", func(ctx context.Context, r request) (bool, error) { return rt.VolumeExists(ctx, r.Name) })
	handle(mux, "removevolume", func(ctx context.Context, r request) (none, error) { return none{}, rt.RemoveVolume(ctx, r.Name) })
	mux.HandleFunc("POST /load", func(w http.ResponseWriter, r *http.Request) {
		out, err := rt.Load(r.Context(), r.Body)
		writeResponse(w, out, err)
	})
	mux.HandleFunc("POST /events", s.events)
	mux.HandleFunc("POST /exec", s.exec)
	mux.HandleFunc("POST /output", s.output)
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // returns only that it was closed
	}()
	return s, nil
}

// Close ends all calls. It does not close the engine.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

func handle[T any](mux *http.ServeMux, op string, f func(context.Context, request) (T, error)) {
	mux.HandleFunc("POST /"+op, func(w http.ResponseWriter, r *http.Request) {
		var in request
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// As in an engine, a call goes on if its caller is gone.
		out, err := f(context.WithoutCancel(r.Context()), in)
		writeResponse(w, out, err)
	})
}

// writeResponse writes a response. It ignores errors, since then the caller is gone.
func writeResponse[T any](w http.ResponseWriter, out T, err error) {
	_ = json.NewEncoder(w).Encode(response[T]{out, toFailure(err)})
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	flush := http.NewResponseController(w)
	send := func(e runtime.Event) {
		writeResponse(w, e, nil)
		_ = flush.Flush() // see writeResponse
	}
	err := s.rt.Events(r.Context(), in.Labels, func() { send(runtime.Event{}) }, send)
	writeResponse(w, runtime.Event{}, err)
}
