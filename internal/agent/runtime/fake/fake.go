// Package fake is a container engine without containers, for tests and for
// simulated hosts. It keeps to the runtime's conformance suite; time passes by
// the timers of package time alone, so that testing/synctest rules it. What a
// container does is read from its command, see Program.
package fake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Config of a Fake. The zero value is a quick engine that has every image.
type Config struct {
	CPUs   int   // 2
	Memory int64 // bytes, 8 GiB

	CreateDelay, StartDelay, StopDelay time.Duration

	// Images are those here, by reference; nil: all there are.
	Images map[string]runtime.Image
	// Registry is what can be pulled, PullDelay how long that takes.
	Registry  map[string]runtime.Image
	PullDelay time.Duration
	// RegistryDown makes pulls wait until their context ends.
	RegistryDown bool

	// Fail, if set, may let a call fail before it has any effect. op is the
	// method's name in lower case, subject an image, name or id.
	Fail func(op, subject string) error
	// Lost, if set and true, lets a call take effect but its answer be lost.
	Lost func(op, subject string) bool
	// Program tells what a container does; nil: ParseProgram of its command.
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
	closed     bool
	starts     map[string]int // by container name: the witness
	witness    Witness
}

// Witness sums what an engine has seen.
type Witness struct {
	Started  int // containers that were started at least once
	Repeated int // of them those started more than once
	Running  int // containers that run now
}

var _ runtime.Runtime = (*Fake)(nil)

type container struct {
	runtime.Container
	checked bool // has a health check
	program Program
	end     *time.Timer
	health  *time.Timer
	over    chan struct{} // closed at the end; nil before the start
}

// New makes one.
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
		volumes: map[string]runtime.Volume{}, subs: map[*subscriber]bool{}, starts: map[string]int{},
	}
}

// Set changes the configuration between calls.
func (f *Fake) Set(fn func(*Config)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(&f.cfg)
}

// Starts counts how often containers of a name have started.
func (f *Fake) Starts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.starts)
}

// Witness is what the engine has seen so far.
func (f *Fake) Witness() Witness {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.witness
}

// Close ends the engine and its timers.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, c := range f.containers {
		c.stopTimers()
	}
	return nil
}

func (c *container) stopTimers() {
	if c.end != nil {
		c.end.Stop()
	}
	if c.health != nil {
		c.health.Stop()
	}
}

// begin is what every call starts with.
func (f *Fake) begin(ctx context.Context, op, subject string, delay time.Duration) error {
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

// finish is what every call that changes something ends with.
func (f *Fake) finish(op, subject string) error {
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

// Info describes a machine of Config's size.
func (f *Fake) Info(ctx context.Context) (runtime.Info, error) {
	if err := f.begin(ctx, "info", "", 0); err != nil {
		return runtime.Info{}, err
	}
	return runtime.Info{
		Engine: "fake", Version: "1", APIVersion: "1.41", CPUs: f.cfg.CPUs, Memory: f.cfg.Memory, Architecture: "x86_64",
		LogDrivers: []string{"json-file"}, VolumeDrivers: []string{"local"},
	}, nil
}

// Image looks one up.
func (f *Fake) Image(ctx context.Context, ref string) (runtime.Image, error) {
	if err := f.begin(ctx, "image", ref, 0); err != nil {
		return runtime.Image{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cfg.Images == nil {
		return runtime.Image{ID: "sha256:" + ref}, nil
	}
	if img, ok := f.cfg.Images[ref]; ok {
		return img, nil
	}
	return runtime.Image{}, notFound("image", ref)
}

// Pull gets one from Registry.
func (f *Fake) Pull(ctx context.Context, ref string) error {
	f.mu.Lock()
	down, delay := f.cfg.RegistryDown, f.cfg.PullDelay
	f.mu.Unlock()
	if down {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := f.begin(ctx, "pull", ref, delay); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	img, ok := f.cfg.Registry[ref]
	if !ok {
		return &runtime.Error{Err: fmt.Errorf("manifest for %s not found: manifest unknown", ref)}
	}
	if f.cfg.Images != nil {
		f.cfg.Images[ref] = img
	}
	return nil
}

// Load takes any archive for one image named by its content.
func (f *Fake) Load(ctx context.Context, archive io.Reader) ([]string, error) {
	data, err := io.ReadAll(archive)
	if err != nil {
		return nil, err
	}
	ref := "loaded-" + hex.EncodeToString(data[:min(6, len(data))]) + ":latest"
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cfg.Images != nil {
		f.cfg.Images[ref] = runtime.Image{ID: "sha256:" + ref}
	}
	return []string{ref}, ctx.Err()
}

// RemoveImage forgets one.
func (f *Fake) RemoveImage(_ context.Context, ref string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.cfg.Images, ref)
	return nil
}

// Create makes a container.
func (f *Fake) Create(ctx context.Context, spec runtime.Spec) (runtime.Created, error) {
	if err := f.begin(ctx, "create", spec.Name, f.delay(func(c Config) time.Duration { return c.CreateDelay })); err != nil {
		return runtime.Created{}, err
	}
	if _, err := f.Image(ctx, spec.Image); err != nil {
		return runtime.Created{}, err
	}
	f.mu.Lock()
	if id, taken := f.names[spec.Name]; taken {
		f.mu.Unlock()
		return runtime.Created{}, &runtime.Error{
			Kind: runtime.ErrNameTaken,
			Err:  fmt.Errorf("Error response from daemon: Conflict. The container name %q is already in use by container %q", "/"+spec.Name, id), //nolint:staticcheck // an engine's words
		}
	}
	b := make([]byte, 32)
	rand.Read(b)
	id := hex.EncodeToString(b)
	ports := spec.Ports
	if spec.Network == "host" || spec.Network == "none" {
		ports = nil
	}
	f.containers[id] = &container{
		Container: runtime.Container{ID: id, Name: spec.Name, Image: spec.Image, Labels: spec.Labels, Phase: runtime.PhaseCreated, Ports: ports},
		checked:   spec.NeedHealthCheck, program: f.cfg.Program(spec),
	}
	f.names[spec.Name] = id
	f.mu.Unlock()
	return runtime.Created{ID: id, Ports: ports}, f.finish("create", spec.Name)
}

func (f *Fake) delay(of func(Config) time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return of(f.cfg)
}

// find resolves an id or a name. The caller holds the lock.
func (f *Fake) find(id string) (*container, error) {
	if c, ok := f.containers[id]; ok {
		return c, nil
	}
	if c, ok := f.containers[f.names[id]]; ok {
		return c, nil
	}
	return nil, notFound("container", id)
}

// Start runs a container's program.
func (f *Fake) Start(ctx context.Context, id string) error {
	if err := f.begin(ctx, "start", id, f.delay(func(c Config) time.Duration { return c.StartDelay })); err != nil {
		return err
	}
	f.mu.Lock()
	c, err := f.find(id)
	if err == nil && c.Phase != runtime.PhaseRunning {
		err = f.runLocked(c)
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.finish("start", id)
}

func (f *Fake) runLocked(c *container) error {
	for _, p := range c.Ports {
		key := strconv.Itoa(p.HostPort) + "/" + p.Protocol
		if owner := f.ports[key]; owner != "" && owner != c.ID && p.HostPort != 0 {
			return &runtime.Error{
				Kind: runtime.ErrPortTaken,
				Err:  fmt.Errorf("Error response from daemon: driver failed programming external connectivity: Bind for 0.0.0.0:%d failed: port is already allocated", p.HostPort), //nolint:staticcheck // an engine's words
			}
		}
	}
	for _, p := range c.Ports {
		f.ports[strconv.Itoa(p.HostPort)+"/"+p.Protocol] = c.ID
	}
	switch f.starts[c.Name]++; f.starts[c.Name] {
	case 1:
		f.witness.Started++
	case 2:
		f.witness.Repeated++
	}
	f.witness.Running++
	c.Phase, c.StartedAt, c.FinishedAt, c.ExitCode = runtime.PhaseRunning, time.Now(), time.Time{}, 0
	c.over = make(chan struct{})
	f.emitLocked(runtime.Event{Kind: runtime.EventStarted}, c)
	if c.program.HasEnd {
		c.end = time.AfterFunc(c.program.After, func() { f.exit(c.ID, c.program.Code, c.program.OOM) })
	}
	if c.checked {
		c.Health = runtime.Starting
		if c.program.Health != "" {
			c.health = time.AfterFunc(c.program.HealthAfter, func() { f.sick(c.ID, c.program.Health) })
		}
	}
	return nil
}

func (f *Fake) sick(id, health string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.containers[id]; c != nil && c.Phase == runtime.PhaseRunning && !f.closed {
		c.Health = health
		f.emitLocked(runtime.Event{Kind: runtime.EventHealth, Health: health}, c)
	}
}

// Exit ends a running container from outside, as a crash would.
func (f *Fake) Exit(id string, code int) { f.exit(id, code, false) }

func (f *Fake) exit(id string, code int, oom bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(id)
	if err != nil || c.Phase != runtime.PhaseRunning || f.closed {
		return
	}
	c.stopTimers()
	f.witness.Running--
	for _, p := range c.Ports {
		delete(f.ports, strconv.Itoa(p.HostPort)+"/"+p.Protocol)
	}
	c.Phase, c.FinishedAt, c.ExitCode, c.OOMKilled = runtime.PhaseExited, time.Now(), code, oom
	close(c.over)
	if oom {
		f.emitLocked(runtime.Event{Kind: runtime.EventOOM}, c)
	}
	f.emitLocked(runtime.Event{Kind: runtime.EventExited, ExitCode: code}, c)
}

// Stop ends a container, at once if its program heeds the signal.
func (f *Fake) Stop(ctx context.Context, id string, timeout time.Duration) error {
	if err := f.begin(ctx, "stop", id, f.delay(func(c Config) time.Duration { return c.StopDelay })); err != nil {
		return err
	}
	f.mu.Lock()
	c, err := f.find(id)
	if err != nil || c.Phase != runtime.PhaseRunning {
		f.mu.Unlock()
		return err
	}
	deaf, over := c.program.Deaf, c.over
	f.mu.Unlock()
	if !deaf {
		f.exit(id, 143, false)
		return f.finish("stop", id)
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-t.C:
		f.exit(id, 137, false)
	case <-over:
	case <-ctx.Done():
		return ctx.Err()
	}
	return f.finish("stop", id)
}

// Remove forgets a container.
func (f *Fake) Remove(ctx context.Context, id string, force bool) error {
	if err := f.begin(ctx, "remove", id, 0); err != nil {
		return err
	}
	f.mu.Lock()
	c, err := f.find(id)
	if err != nil {
		f.mu.Unlock()
		return nil
	}
	if c.Phase == runtime.PhaseRunning {
		f.mu.Unlock()
		if !force {
			return &runtime.Error{Kind: runtime.ErrRunning, Err: fmt.Errorf("Error response from daemon: You cannot remove a running container %s", id)} //nolint:staticcheck // an engine's words
		}
		f.exit(id, 137, false)
		f.mu.Lock()
	}
	delete(f.containers, c.ID)
	delete(f.names, c.Name)
	f.emitLocked(runtime.Event{Kind: runtime.EventRemoved}, c)
	f.mu.Unlock()
	return f.finish("remove", id)
}

// Inspect looks one up.
func (f *Fake) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	if err := f.begin(ctx, "inspect", id, 0); err != nil {
		return runtime.Container{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(id)
	if err != nil {
		return runtime.Container{}, err
	}
	return c.Container, nil
}

// List finds containers by label.
func (f *Fake) List(ctx context.Context, labels map[string]string) ([]runtime.Container, error) {
	if err := f.begin(ctx, "list", "", 0); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []runtime.Container
	for _, c := range f.containers {
		if carries(c.Labels, labels) {
			out = append(out, runtime.Container{ID: c.ID, Name: c.Name, Image: c.Image, Labels: c.Labels, Phase: c.Phase})
		}
	}
	return out, nil
}

func carries(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// Stats are those of a container that does nothing.
func (f *Fake) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	if err := f.begin(ctx, "stats", id, 0); err != nil {
		return runtime.Stats{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.find(id)
	return runtime.Stats{At: time.Now(), CPUs: f.cfg.CPUs}, err
}

// CreateVolume makes a volume.
func (f *Fake) CreateVolume(ctx context.Context, v runtime.Volume) error {
	if err := f.begin(ctx, "volume", v.Name, 0); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.Driver != "" && v.Driver != "local" {
		return &runtime.Error{Err: fmt.Errorf("Error response from daemon: create %s: error looking up volume plugin %s: plugin %q not found", v.Name, v.Driver, v.Driver)} //nolint:staticcheck // an engine's words
	}
	f.volumes[v.Name] = v
	return nil
}

// VolumeExists looks one up.
func (f *Fake) VolumeExists(_ context.Context, name string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.volumes[name]
	return ok, nil
}

// RemoveVolume removes one.
func (f *Fake) RemoveVolume(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.volumes, name)
	return nil
}
