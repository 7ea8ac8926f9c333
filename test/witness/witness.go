// Package witness counts starts of containers outside of Ashore, in two independent
// ways: each container writes its id to a bind-mounted file when it starts, and the
// engine's own events are recorded.
package witness

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// Witness watches one installation's containers.
type Witness struct {
	Image string // runs the witness program
	Dir   string // for a mount at /witness

	docker *client.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	starts map[string]int               // container id → start events; guarded by mu
	labels map[string]map[string]string // container id → its labels and more; guarded by mu
	lost   error                        // why the events ended early; guarded by mu
}

// New builds the image. From now on it records the start events of containers with the
// label.
func New(ctx context.Context, docker *client.Client, dir, label, tag string) (*Witness, error) {
	w := &Witness{Image: "localhost/ashore/witness:" + tag, Dir: filepath.Join(dir, "witness"),
		docker: docker, starts: map[string]int{}, labels: map[string]map[string]string{}, done: make(chan struct{})}
	if err := os.Mkdir(w.Dir, 0o755); err != nil {
		return nil, err
	}
	if err := Load(ctx, docker, dir, w.Image); err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	r := docker.Events(watching, client.EventsListOptions{
		// The engine replays the events since then, so none is missed.
		Since:   fmt.Sprint(time.Now().Add(-time.Second).Unix()),
		Filters: make(client.Filters).Add("label", label).Add("type", "container").Add("event", "start"),
	})
	go func() {
		defer close(w.done)
		for {
			select {
			case m := <-r.Messages:
				w.record(m)
			case err := <-r.Err:
				w.mu.Lock()
				if watching.Err() == nil {
					w.lost = err
				}
				w.mu.Unlock()
				return
			}
		}
	}()
	return w, nil
}

func (w *Witness) record(m events.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starts[m.Actor.ID]++
	w.labels[m.Actor.ID] = m.Actor.Attributes
}

// Labels returns the labels of each container that was started, including removed ones.
func (w *Witness) Labels() map[string]map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.labels)
}

// Started returns how often each container was started, by its full id, according to
// the engine's events.
func (w *Witness) Started() (map[string]int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]int, len(w.starts))
	for id, n := range w.starts {
		out[id] = n
	}
	return out, w.lost
}

// Testified returns how often each container has written that it started, by the first
// twelve digits of its id.
func (w *Witness) Testified() (map[string]int, error) {
	b, err := os.ReadFile(filepath.Join(w.Dir, "starts"))
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, id := range strings.Fields(string(b)) {
		out[id]++
	}
	return out, nil
}

// Close ends the recording and removes the image.
func (w *Witness) Close(ctx context.Context) error {
	w.cancel()
	<-w.done
	_, err := w.docker.ImageRemove(ctx, w.Image, client.ImageRemoveOptions{Force: true})
	return err
}

// Load builds the witness program below dir and loads it into the engine as an image.
func Load(ctx context.Context, docker *client.Client, dir, image string) error {
	if err := load(ctx, docker, dir, image); err != nil {
		return fmt.Errorf("witness image: %w", err)
	}
	return nil
}

func load(ctx context.Context, docker *client.Client, dir, image string) error {
	binary := filepath.Join(dir, "witness-program")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "github.com/ashore/ashore/test/witness/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	var fs bytes.Buffer
	t := tar.NewWriter(&fs)
	if err := t.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: int64(len(data))}); err != nil {
		return err
	}
	if _, err := t.Write(data); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	r, err := docker.ImageImport(ctx, client.ImageImportSource{Source: &fs, SourceName: "-"}, image,
		client.ImageImportOptions{Changes: []string{`CMD ["/program"]`}})
	if err != nil {
		return err
	}
	// The engine has the image when its answer ends.
	_, err = io.Copy(io.Discard, r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return err
}
