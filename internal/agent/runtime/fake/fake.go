// Package fake is a container engine without containers, for tests and simulated hosts. It
// passes the runtime's conformance suite. It uses only timers of package time, so
// testing/synctest controls its time. A container's behavior derives from its command, see
// Program.
package fake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Config configures a Fake. The zero value is a quick engine that has every image.
type Config struct {
	CPUs   int   // 2
	Memory int64 // bytes, 8 GiB

	CreateDelay, StartDelay, StopDelay time.Duration

	// Images are the images on the host, by reference; nil: all images.
	Images map[string]runtime.Image
	// Registry has the images that can be pulled. PullDelay is how long a pull takes.
	Registry  map[string]runtime.Image
	PullDelay time.Duration
	// RegistryDown makes pulls wait without progress until their context ends.
	RegistryDown bool

	// Fail, if set, may fail a call before it has any effect. op is the method's name
	// in lower case. subject is an image, a name or an id.
	Fail func(op, subject string) error
	// Lost, if set and true, lets a call take effect and loses its answer.
	Lost func(op, subject string) bool
	// DropEvent, if set and true, drops an event, as an engine does if a listener is
	// slow.
	DropEvent func(runtime.Event) bool
	// Program returns what a container does; nil: ParseProgram of its command.
	Program func(runtime.Spec) Program
}

// Fake is one engine.
type Fake struct {
	mu         sync.Mutex
	cfg        Config
	containers map[string]*container
	names      map[string]string // name → id
	ports      map[string]string // host port/protocol → id
	volumes    map[string]runtime.Volume
	subs       map[*subscriber]bool
	cut        chan struct{} // closed and replaced by CutOutputs
	closed     bool
	closing    chan struct{}  // closed by Close
	hang       *hang          // nil: it answers
	starts     map[string]int // number of starts by container name, for the witness
	witness    Witness
}

var _ runtime.Runtime = (*Fake)(nil)

// New creates an engine.
func New(cfg Config) *Fake {
	if cfg.CPUs == 0 {
		cfg.CPUs = 2
	}
	if cfg.Memory == 0 {
		cfg.Memory = 8 << 30
	}
	if cfg.Program == nil {
		cfg.Program = func(s runtime.Spec) Program { return ParseProgram(s.Command) }
	}
	return &Fake{
		cfg: cfg, containers: map[string]*container{}, names: map[string]string{}, ports: map[string]string{},
		closing: make(chan struct{}), cut: make(chan struct{}),
		volumes: map[string]runtime.Volume{}, subs: map[*subscriber]bool{}, starts: map[string]int{},
	}
}

// Set changes the configuration between calls.
func (f *Fake) Set(fn func(*Config)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(&f.cfg)
}

// Close ends the engine and its timers.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		close(f.closing)
	}
	f.closed = true
	for _, c := range f.containers {
		c.stopTimers()
	}
	return nil
}

// beginCall begins a call: it waits for the delay, and returns the error that Fail wants.
func (f *Fake) beginCall(ctx context.Context, op, subject string, delay time.Duration) error {
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.mu.Lock()
	fail := f.cfg.Fail
	f.mu.Unlock()
	if fail != nil {
		return fail(op, subject)
	}
	return nil
}

// finishCall ends a call that changes something: it may lose the answer.
func (f *Fake) finishCall(op, subject string) error {
	f.mu.Lock()
	lost := f.cfg.Lost
	f.mu.Unlock()
	if lost != nil && lost(op, subject) {
		return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("the answer was lost")}
	}
	return nil
}

func notFound(what, id string) error {
	return &runtime.Error{Kind: runtime.ErrNotFound, Err: fmt.Errorf("Error response from daemon: No such %s: %s", what, id)} //nolint:staticcheck // an engine's words
}

// Ping checks that the engine answers.
func (f *Fake) Ping(ctx context.Context) error {
	return runHanging(ctx, f, "ping", "", func(ctx context.Context) error { return f.beginCall(ctx, "ping", "", 0) })
}

// Info describes a machine of Config's size.
func (f *Fake) Info(ctx context.Context) (runtime.Info, error) {
	return callHanging(ctx, f, "info", "", f.info)
}

func (f *Fake) info(ctx context.Context) (runtime.Info, error) {
	if err := f.beginCall(ctx, "info", "", 0); err != nil {
		return runtime.Info{}, err
	}
	return runtime.Info{
		Engine: "fake", Version: "1", APIVersion: "1.41", CPUs: f.cfg.CPUs, Memory: f.cfg.Memory, Architecture: "x86_64",
		LogDrivers: []string{"json-file"}, VolumeDrivers: []string{"local"},
	}, nil
}

func (f *Fake) delay(of func(Config) time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return of(f.cfg)
}
