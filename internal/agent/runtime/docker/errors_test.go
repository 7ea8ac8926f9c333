package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/docker"
)

// client returns a client of an engine that answers everything except pings with h.
func client(t *testing.T, h http.HandlerFunc) *docker.Docker {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if r.URL.Path == "/_ping" {
			return
		}
		h(w, r)
	}))
	d, err := docker.New("tcp://" + strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return d
}

// calls are all methods that can fail.
func calls(d *docker.Docker) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"info":    func(ctx context.Context) error { _, err := d.Info(ctx); return err },
		"image":   func(ctx context.Context) error { _, err := d.Image(ctx, "image"); return err },
		"pull":    func(ctx context.Context) error { return d.Pull(ctx, "image", func() {}) },
		"load":    func(ctx context.Context) error { _, err := d.Load(ctx, strings.NewReader("")); return err },
		"create":  func(ctx context.Context) error { _, err := d.Create(ctx, runtime.Spec{Image: "image"}); return err },
		"start":   func(ctx context.Context) error { return d.Start(ctx, "id") },
		"stop":    func(ctx context.Context) error { return d.Stop(ctx, "id", 0) },
		"remove":  func(ctx context.Context) error { return d.Remove(ctx, "id", false) },
		"inspect": func(ctx context.Context) error { _, err := d.Inspect(ctx, "id"); return err },
		"list":    func(ctx context.Context) error { _, err := d.List(ctx, nil); return err },
		"stats":   func(ctx context.Context) error { _, err := d.Stats(ctx, "id"); return err },
		"volume":  func(ctx context.Context) error { return d.CreateVolume(ctx, runtime.Volume{Name: "v"}) },
		"exists":  func(ctx context.Context) error { _, err := d.VolumeExists(ctx, "v"); return err },
		"events":  func(ctx context.Context) error { return d.Events(ctx, nil, func() {}, func(runtime.Event) {}) },
	}
}

// abort breaks the connection.
func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// An engine that can't be reached, or whose answer is cut off, is unreachable. An engine
// that answers is not, whatever the answer is.
func TestOnlyABrokenConnectionIsUnreachable(t *testing.T) {
	kinds := map[string]struct {
		answer      http.HandlerFunc
		unreachable bool
		except      string // calls that do not read that far
	}{
		"no answer": {abort, true, ""},
		"cut in its head": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Le")
			conn.Close()
		}, true, ""},
		"cut in its body": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusOK)
			fmt.Fprint(w, `{"Id":`)
			panic(http.ErrAbortHandler)
		}, true, "start stop remove info"}, // for info, the client returns only the text
		"cut in an error's body": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"message":`)
			panic(http.ErrAbortHandler)
		}, true, ""},
		"an error": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"message":"no space left on device"}`)
		}, false, ""},
		"an error without a word": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
		}, false, ""},
		"an error that is no JSON": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "<html>")
		}, false, ""},
		"an answer that is no JSON": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<html>moved</html>")
		}, false, "start stop remove"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusMovedPermanently)
			fmt.Fprint(w, "<a>moved</a>")
		}, false, ""},
	}
	for name, k := range kinds {
		d := client(t, k.answer)
		for call, do := range calls(d) {
			if strings.Contains(k.except, call) {
				continue
			}
			err := do(t.Context())
			if err == nil {
				t.Errorf("%s, %s: no error", name, call)
			}
			if got := errors.Is(err, runtime.ErrUnreachable); got != k.unreachable {
				t.Errorf("%s, %s: unreachable %v: %v", name, call, got, err)
			}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	d, err := docker.New("tcp://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for call, do := range calls(d) {
		if err := do(t.Context()); !errors.Is(err, runtime.ErrUnreachable) {
			t.Errorf("nobody listens, %s: %v", call, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for call, do := range calls(d) {
		if err := do(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, runtime.ErrUnreachable) {
			t.Errorf("given up, %s: %v", call, err)
		}
	}
}

// If the client itself refuses a call, the error comes at once. If the reason is a
// reference, the kind is ErrConfig. The engine is not called.
func TestWhatTheClientRefuses(t *testing.T) {
	d := client(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"no such thing"}`)
	})
	for _, ref := range []string{"MyApp:1", "-x", "a:1:2", "", " ", "a b", "a//b", "a@sha256:12", "a@sha257:" + strings.Repeat("0", 64), ":tag", "https://registry/image", strings.Repeat("a", 300), "a\x00b"} {
		if err := d.Pull(t.Context(), ref, func() {}); !errors.Is(err, runtime.ErrConfig) || errors.Is(err, runtime.ErrUnreachable) {
			t.Errorf("pull %q: %v", ref, err)
		}
		if _, err := d.Image(t.Context(), ref); !errors.Is(err, runtime.ErrNotFound) {
			t.Errorf("image %q: %v", ref, err)
		}
		if _, err := d.Create(t.Context(), runtime.Spec{Image: ref}); err == nil || errors.Is(err, runtime.ErrUnreachable) {
			t.Errorf("create %q: %v", ref, err)
		}
	}
	for name, err := range map[string]error{
		"start": d.Start(t.Context(), ""), "stop": d.Stop(t.Context(), " ", 0), "volume": d.RemoveVolume(t.Context(), ""),
	} {
		if errors.Is(err, runtime.ErrUnreachable) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
	if _, err := d.Inspect(t.Context(), ""); err == nil || errors.Is(err, runtime.ErrUnreachable) {
		t.Errorf("inspect of nothing: %v", err)
	}
}
