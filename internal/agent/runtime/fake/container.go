package fake

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

type container struct {
	runtime.Container
	checked    bool // has a health check
	program    Program
	end        *time.Timer
	health     *time.Timer
	childTimer *time.Timer
	childAlive bool          // its child process is still to be killed for lack of memory
	ended      chan struct{} // closed when it ends; nil before the start

	tty        bool            // it writes to a terminal
	unreadable bool            // its log can't be read
	lines      []runtime.Line  // its output
	said       int             // how many of its program's Says it has written in this run
	sayTimer   *time.Timer     // timer of the next
	changed    chan struct{}   // closed when there are more lines or it ends; nil: no one waits
	files      map[string]bool // created by Exec
}

func (c *container) stopTimers() {
	if c.end != nil {
		c.end.Stop()
	}
	if c.health != nil {
		c.health.Stop()
	}
	if c.childTimer != nil {
		c.childTimer.Stop()
	}
	if c.sayTimer != nil {
		c.sayTimer.Stop()
	}
}

// Create creates a container. As in a real engine, its name is taken before it exists.
func (f *Fake) Create(ctx context.Context, spec runtime.Spec) (runtime.Created, error) {
	return callHanging(ctx, f, "create", spec.Name, func(ctx context.Context) (runtime.Created, error) { return f.create(ctx, spec) })
}

func (f *Fake) create(ctx context.Context, spec runtime.Spec) (created runtime.Created, err error) {
	f.mu.Lock()
	for _, other := range slices.Concat(spec.VolumesFrom, spec.Links) {
		name, _, _ := strings.Cut(other, ":")
		if f.names[name] == "" {
			f.mu.Unlock()
			return created, notFound("container", name)
		}
	}
	id, taken := f.names[spec.Name]
	if !taken {
		f.names[spec.Name] = "" // until it exists
	}
	f.mu.Unlock()
	if taken {
		return created, &runtime.Error{
			Kind: runtime.ErrNameTaken,
			Err:  fmt.Errorf("Error response from daemon: Conflict. The container name %q is already in use by container %q", "/"+spec.Name, id), //nolint:staticcheck // an engine's words
		}
	}
	err = f.beginCall(ctx, "create", spec.Name, f.delay(func(c Config) time.Duration { return c.CreateDelay }))
	if err == nil {
		_, err = f.image(ctx, spec.Image)
	}
	f.mu.Lock()
	if err != nil {
		delete(f.names, spec.Name)
		f.mu.Unlock()
		return created, err
	}
	b := make([]byte, 32)
	crand.Read(b)
	created = runtime.Created{ID: hex.EncodeToString(b), Ports: spec.Ports}
	if spec.Network == "host" || spec.Network == "none" {
		created.Ports = nil
	}
	f.containers[created.ID] = &container{
		Container: runtime.Container{ID: created.ID, Name: spec.Name, Image: spec.Image, Labels: spec.Labels, Phase: runtime.PhaseCreated, Ports: created.Ports},
		checked:   hasHealthCheck(spec.HealthCheck), tty: spec.TTY, unreadable: spec.Log != nil && spec.Log.Driver == "none", program: f.cfg.Program(spec),
	}
	f.names[spec.Name] = created.ID
	f.mu.Unlock()
	created.Ports = shufflePorts(created.Ports)
	return created, f.finishCall("create", spec.Name)
}

func hasHealthCheck(h *runtime.HealthCheck) bool {
	return h != nil && len(h.Test) > 0 && h.Test[0] != "NONE"
}

// restartDelay is how long the engine waits before its own restarts.
const restartDelay = 100 * time.Millisecond

// find returns a container by id or name. The caller holds the lock.
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
	return runHanging(ctx, f, "start", id, func(ctx context.Context) error { return f.start(ctx, id) })
}

func (f *Fake) start(ctx context.Context, id string) error {
	if err := f.beginCall(ctx, "start", id, f.delay(func(c Config) time.Duration { return c.StartDelay })); err != nil {
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
	return f.finishCall("start", id)
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
	c.ended = make(chan struct{})
	f.emitLocked(runtime.Event{Kind: runtime.EventStarted}, c)
	c.said = 0
	f.runSaysLocked(c)
	c.OOMKilled = false // as in engines, the flag counts since the last start
	if c.childAlive = c.program.Feeds; c.childAlive {
		c.childTimer = time.AfterFunc(c.program.FeedsAfter, func() { f.killChild(c.ID) })
	}
	if c.program.HasEnd {
		c.end = time.AfterFunc(c.program.After, func() { f.exit(c.ID, c.program.Code, c.program.OOM) })
	}
	if c.checked {
		c.Health = runtime.Starting
		if c.program.Health != "" {
			c.health = time.AfterFunc(c.program.HealthAfter, func() { f.setHealth(c.ID, c.program.Health) })
		}
	}
	return nil
}

func (f *Fake) setHealth(id, health string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.containers[id]; c != nil && c.Phase == runtime.PhaseRunning && !f.closed {
		c.Health = health
		f.emitLocked(runtime.Event{Kind: runtime.EventHealth, Health: health}, c)
	}
}

// killChild kills a container's child process for lack of memory.
func (f *Fake) killChild(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.containers[id]; c != nil && c.childAlive && c.Phase == runtime.PhaseRunning && !f.closed {
		f.killChildLocked(c)
	}
}

func (f *Fake) killChildLocked(c *container) {
	c.OOMKilled, c.childAlive = true, false
	f.emitLocked(runtime.Event{Kind: runtime.EventOOM}, c)
}

// Exit ends a running container from outside, like a crash.
func (f *Fake) Exit(id string, code int) { f.exit(id, code, false) }

// Restart ends a running container and starts it again, like a user.
func (f *Fake) Restart(id string) error {
	f.endContainer(id, 143, false)
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(id)
	if err != nil {
		return err
	}
	return f.runLocked(c)
}

// exit ends a container by other means than Stop.
func (f *Fake) exit(id string, code int, oom bool) {
	c := f.endContainer(id, code, oom)
	if c == nil || !c.program.Revived {
		return
	}
	time.AfterFunc(restartDelay, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.containers[c.ID] == c && c.Phase == runtime.PhaseExited && !f.closed {
			_ = f.runLocked(c) // if its port is taken, it stays ended
		}
	})
}

// endContainer ends a running container and returns it, or nil.
func (f *Fake) endContainer(id string, code int, oom bool) *container {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(id)
	if err != nil || c.Phase != runtime.PhaseRunning || f.closed {
		return nil
	}
	if c.childAlive && time.Since(c.StartedAt) >= c.program.FeedsAfter {
		f.killChildLocked(c) // both at the same moment
	}
	f.runSaysLocked(c) // output that is due at the same moment
	c.stopTimers()
	f.witness.Running--
	for _, p := range c.Ports {
		delete(f.ports, strconv.Itoa(p.HostPort)+"/"+p.Protocol)
	}
	c.Phase, c.FinishedAt, c.ExitCode, c.OOMKilled = runtime.PhaseExited, time.Now(), code, oom || c.OOMKilled
	close(c.ended)
	c.notifyLocked()
	if oom {
		f.emitLocked(runtime.Event{Kind: runtime.EventOOM}, c)
	}
	f.emitLocked(runtime.Event{Kind: runtime.EventExited, ExitCode: code}, c)
	return c
}

// Stop ends a container, at once if its program obeys the signal.
func (f *Fake) Stop(ctx context.Context, id string, timeout time.Duration) error {
	return runHanging(ctx, f, "stop", id, func(ctx context.Context) error { return f.stop(ctx, id, timeout) })
}

func (f *Fake) stop(ctx context.Context, id string, timeout time.Duration) error {
	if err := f.beginCall(ctx, "stop", id, f.delay(func(c Config) time.Duration { return c.StopDelay })); err != nil {
		return err
	}
	f.mu.Lock()
	c, err := f.find(id)
	if err != nil || c.Phase != runtime.PhaseRunning {
		f.mu.Unlock()
		return err
	}
	deaf, ended := c.program.Deaf, c.ended
	f.mu.Unlock()
	if !deaf {
		f.endContainer(id, 143, false)
		return f.finishCall("stop", id)
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-t.C:
		f.endContainer(id, 137, false)
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return f.finishCall("stop", id)
}

// Remove removes a container.
func (f *Fake) Remove(ctx context.Context, id string, force bool) error {
	return runHanging(ctx, f, "remove", id, func(ctx context.Context) error { return f.remove(ctx, id, force) })
}

func (f *Fake) remove(ctx context.Context, id string, force bool) error {
	if err := f.beginCall(ctx, "remove", id, 0); err != nil {
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
		f.endContainer(id, 137, false)
		f.mu.Lock()
	}
	delete(f.containers, c.ID)
	delete(f.names, c.Name)
	f.emitLocked(runtime.Event{Kind: runtime.EventRemoved}, c)
	f.mu.Unlock()
	return f.finishCall("remove", id)
}

// Inspect returns a container, by id or name.
func (f *Fake) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	return callHanging(ctx, f, "inspect", id, func(ctx context.Context) (runtime.Container, error) { return f.inspect(ctx, id) })
}

func (f *Fake) inspect(ctx context.Context, id string) (runtime.Container, error) {
	if err := f.beginCall(ctx, "inspect", id, 0); err != nil {
		return runtime.Container{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(id)
	if err != nil {
		return runtime.Container{}, err
	}
	out := c.Container
	out.Ports = shufflePorts(out.Ports)
	return out, nil
}

// shufflePorts returns the ports in a random order, as an engine does.
func shufflePorts(ports []runtime.Port) []runtime.Port {
	out := slices.Clone(ports)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// List returns the containers with the labels.
func (f *Fake) List(ctx context.Context, labels map[string]string) ([]runtime.Container, error) {
	return callHanging(ctx, f, "list", "", func(ctx context.Context) ([]runtime.Container, error) { return f.list(ctx, labels) })
}

func (f *Fake) list(ctx context.Context, labels map[string]string) ([]runtime.Container, error) {
	if err := f.beginCall(ctx, "list", "", 0); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []runtime.Container
	for _, c := range f.containers {
		if hasLabels(c.Labels, labels) {
			out = append(out, runtime.Container{ID: c.ID, Name: c.Name, Image: c.Image, Labels: c.Labels, Phase: c.Phase})
		}
	}
	return out, nil
}

func hasLabels(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// Stats returns a sample of a container that does nothing.
func (f *Fake) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	return callHanging(ctx, f, "stats", id, func(ctx context.Context) (runtime.Stats, error) { return f.stats(ctx, id) })
}

func (f *Fake) stats(ctx context.Context, id string) (runtime.Stats, error) {
	if err := f.beginCall(ctx, "stats", id, 0); err != nil {
		return runtime.Stats{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.find(id)
	return runtime.Stats{At: time.Now(), CPUs: f.cfg.CPUs}, err
}
