// Package conformance tests the behavior that the agent needs of a container engine. Each
// runtime runs these tests.
package conformance

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime"
)

// Label is the label of all containers of the suite. Its value is Target.Installation.
const Label = "dev.ashore.conformance"

// Target is an engine to test. Image understands the commands of agenttest's probe. Absent
// is a reference that does not exist.
type Target struct {
	Runtime      runtime.Runtime
	Image        string
	Absent       string
	Installation string // value of Label
}

const maxWait = 30 * time.Second

// Run runs the suite. open returns a target for each test.
func Run(t *testing.T, open func(t *testing.T) Target) {
	for name, test := range map[string]func(*testing.T, Target){
		"life": testLifecycle, "exit codes": testExitCodes, "names": testNames, "killing": testKill, "removal": testRemoval,
		"memory": testMemory, "listing": testList, "ports": testPorts, "absences": testAbsent, "volumes": testVolumes, "events of others": testOtherLabels,
		"exec": testExec, "exec: terminal sizes": testResize, "exec: given up": testAbandonedExec, "exec: nothing runs": testExecNotRunning, "exec: side by side": testConcurrentExec,
		"output": testStreams, "output of terminals": testTerminal, "output from a time on": testPositions, "output resumed": testResume,
		"output of long lines": testLongLines, "no output": testNoOutput,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func (x Target) spec(name string, command ...string) runtime.Spec {
	return runtime.Spec{
		Name: "ashore-conformance-" + name + "-" + agenttest.Hex(6), Image: x.Image, Command: command, Network: "bridge",
		Labels: map[string]string{Label: x.Installation, "case": name},
	}
}

func (x Target) create(t *testing.T, s runtime.Spec) string {
	t.Helper()
	c, err := x.Runtime.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// healthySpec returns the spec of a container that becomes healthy when its program
// handles signals. If it is stopped earlier, it may end in other ways.
func (x Target) healthySpec(name string, command ...string) runtime.Spec {
	s := x.spec(name, append(command, "healthy", "0", "sleep", "60")...)
	s.HealthCheck = &runtime.HealthCheck{
		Test: []string{"CMD", "/probe", "alive", "/healthy"}, Interval: 100 * time.Millisecond, Timeout: 5 * time.Second, Retries: 100,
	}
	return s
}

// waitHealthy waits until a container of healthySpec handles signals.
func (x Target) waitHealthy(t *testing.T, id string) {
	t.Helper()
	for deadline := time.Now().Add(maxWait); x.inspect(t, id).Health != runtime.Healthy; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not healthy after %s", maxWait)
		}
	}
}

func (x Target) inspect(t *testing.T, id string) runtime.Container {
	t.Helper()
	c, err := x.Runtime.Inspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// followEvents returns the events of the containers with the labels.
func (x Target) followEvents(t *testing.T, labels map[string]string) <-chan runtime.Event {
	t.Helper()
	out := make(chan runtime.Event, 100)
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- x.Runtime.Events(ctx, labels, func() { close(ready) }, func(e runtime.Event) { out <- e })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("events ended: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	return out
}

func waitEvent(t *testing.T, events <-chan runtime.Event, kind runtime.EventKind, id string) runtime.Event {
	t.Helper()
	for {
		select {
		case e := <-events:
			if e.Kind == kind && e.ID == id {
				return e
			}
			t.Logf("passed over: %+v", e)
		case <-time.After(maxWait):
			t.Fatalf("no event %s", kind)
		}
	}
}

func testLifecycle(t *testing.T, x Target) {
	events := x.followEvents(t, map[string]string{Label: x.Installation})
	id := x.create(t, x.healthySpec("life"))
	if c := x.inspect(t, id); c.Phase != runtime.PhaseCreated || !c.StartedAt.IsZero() {
		t.Errorf("created: %+v", c)
	}
	before := time.Now()
	for range 2 { // the second start changes nothing
		if err := x.Runtime.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if c := x.inspect(t, id); c.Phase != runtime.PhaseRunning || c.StartedAt.Before(before.Add(-time.Second)) || c.Labels["case"] != "life" {
		t.Errorf("running: %+v", c)
	}
	if e := waitEvent(t, events, runtime.EventStarted, id); e.Labels["case"] != "life" {
		t.Errorf("%+v", e)
	}
	x.waitHealthy(t, id)
	for range 2 {
		if err := x.Runtime.Stop(t.Context(), id, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if c := x.inspect(t, id); c.Phase != runtime.PhaseExited || c.ExitCode != 143 || c.FinishedAt.Before(c.StartedAt) {
		t.Errorf("stopped: %+v", c)
	}
	if e := waitEvent(t, events, runtime.EventExited, id); e.ExitCode != 143 || time.Since(e.At).Abs() > time.Minute {
		t.Errorf("%+v", e)
	}
	for range 2 {
		if err := x.Runtime.Remove(t.Context(), id, false); err != nil {
			t.Fatal(err)
		}
	}
	waitEvent(t, events, runtime.EventRemoved, id)
}

// testMemory: if a child process is killed for lack of memory, an event of its container
// says so before the container ends. Inspect shows it until the next start.
func testMemory(t *testing.T, x Target) {
	events := x.followEvents(t, map[string]string{Label: x.Installation})
	s := x.spec("memory", "feed", "200", "exit", "1")
	s.Memory = 16 << 20
	id := x.create(t, s)
	if err := x.Runtime.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if e := waitEvent(t, events, runtime.EventOOM, id); time.Since(e.At).Abs() > time.Minute {
		t.Errorf("%+v", e)
	}
	if e := waitEvent(t, events, runtime.EventExited, id); e.ExitCode != 1 {
		t.Errorf("%+v", e)
	}
	if c := x.inspect(t, id); !c.OOMKilled || c.ExitCode != 1 {
		t.Errorf("%+v", c)
	}
	if err := x.Runtime.Remove(t.Context(), id, false); err != nil {
		t.Fatal(err)
	}
}

func testExitCodes(t *testing.T, x Target) {
	events := x.followEvents(t, map[string]string{Label: x.Installation})
	for _, want := range []int{0, 3} {
		id := x.create(t, x.spec("exit", "exit", string(rune('0'+want))))
		if err := x.Runtime.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if e := waitEvent(t, events, runtime.EventExited, id); e.ExitCode != want {
			t.Errorf("%+v", e)
		}
		if c := x.inspect(t, id); c.Phase != runtime.PhaseExited || c.ExitCode != want || c.OOMKilled {
			t.Errorf("%+v", c)
		}
	}
}

func testNames(t *testing.T, x Target) {
	s := x.spec("names", "sleep", "60")
	id := x.create(t, s)
	if _, err := x.Runtime.Create(t.Context(), s); !errors.Is(err, runtime.ErrNameTaken) {
		t.Errorf("second creation: %v", err)
	}
	if c := x.inspect(t, s.Name); c.ID != id || c.Name != s.Name || c.Image != x.Image {
		t.Errorf("by name: %+v", c)
	}
}

func testKill(t *testing.T, x Target) {
	id := x.create(t, x.healthySpec("killing", "deaf"))
	if err := x.Runtime.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	x.waitHealthy(t, id)
	began := time.Now()
	if err := x.Runtime.Stop(t.Context(), id, time.Second); err != nil {
		t.Fatal(err)
	}
	if c := x.inspect(t, id); c.ExitCode != 137 || c.OOMKilled || time.Since(began) < time.Second {
		t.Errorf("%+v after %s", c, time.Since(began))
	}
}

func testRemoval(t *testing.T, x Target) {
	events := x.followEvents(t, map[string]string{Label: x.Installation})
	id := x.create(t, x.spec("removal", "sleep", "60"))
	if err := x.Runtime.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := x.Runtime.Remove(t.Context(), id, false); !errors.Is(err, runtime.ErrRunning) {
		t.Errorf("removal while it runs: %v", err)
	}
	if err := x.Runtime.Remove(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	// Recovery relies on this: a start is reported before the removal.
	waitEvent(t, events, runtime.EventStarted, id)
	waitEvent(t, events, runtime.EventRemoved, id)
}

func testList(t *testing.T, x Target) {
	a, b := x.spec("listing", "sleep", "60"), x.spec("listing", "sleep", "60")
	b.Labels = maps.Clone(b.Labels)
	b.Labels["extra"] = "yes"
	ida, idb := x.create(t, a), x.create(t, b)
	if err := x.Runtime.Start(t.Context(), idb); err != nil {
		t.Fatal(err)
	}
	for want, labels := range map[int]map[string]string{
		2: {Label: x.Installation, "case": "listing"},
		1: {Label: x.Installation, "case": "listing", "extra": "yes"},
		0: {Label: x.Installation, "case": "listing", "extra": "no"},
	} {
		list, err := x.Runtime.List(t.Context(), labels)
		if err != nil || len(list) != want {
			t.Errorf("%v: %d, %v", labels, len(list), err)
		}
		for _, c := range list {
			if c.ID == ida && c.Phase != runtime.PhaseCreated || c.ID == idb && c.Phase != runtime.PhaseRunning {
				t.Errorf("%+v", c)
			}
		}
	}
}

func testPorts(t *testing.T, x Target) {
	// A fixed port may be in use: try several.
	var first string
	var port int
	for port = 42100; port < 42200; port++ {
		s := x.spec("ports", "sleep", "60")
		s.Ports = []runtime.Port{{ContainerPort: 80, HostPort: port, Protocol: "tcp"}}
		created, err := x.Runtime.Create(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if len(created.Ports) != 1 || created.Ports[0] != s.Ports[0] {
			t.Errorf("%+v", created.Ports)
		}
		err = x.Runtime.Start(t.Context(), created.ID)
		if err == nil {
			first = created.ID
			break
		}
		if !errors.Is(err, runtime.ErrPortTaken) {
			t.Fatal(err)
		}
	}
	s := x.spec("ports", "sleep", "60")
	s.Ports = []runtime.Port{{ContainerPort: 80, HostPort: port, Protocol: "tcp"}}
	second := x.create(t, s)
	if err := x.Runtime.Start(t.Context(), second); !errors.Is(err, runtime.ErrPortTaken) {
		t.Errorf("second holder of a port: %v", err)
	}
	if c := x.inspect(t, second); c.Phase != runtime.PhaseCreated {
		t.Errorf("a container that could not start: %+v", c)
	}
	if c := x.inspect(t, first); len(c.Ports) != 1 || c.Ports[0].HostPort != port {
		t.Errorf("%+v", c)
	}
	host := x.spec("ports", "sleep", "60")
	host.Network, host.Ports = "host", s.Ports
	if c, err := x.Runtime.Create(t.Context(), host); err != nil || len(c.Ports) != 0 {
		t.Errorf("host network: %+v %v", c, err)
	}
}

func testAbsent(t *testing.T, x Target) {
	ctx := t.Context()
	if _, err := x.Runtime.Image(ctx, x.Absent); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("image: %v", err)
	}
	s := x.spec("absences")
	for _, ref := range []string{"MyApp:1", "-x", "a:1:2"} { // invalid image names
		if err := x.Runtime.Pull(ctx, ref, func() {}); !errors.Is(err, runtime.ErrConfig) {
			t.Errorf("pull of %q: %v", ref, err)
		}
		if _, err := x.Runtime.Image(ctx, ref); err == nil || errors.Is(err, runtime.ErrUnreachable) {
			t.Errorf("image %q: %v", ref, err)
		}
	}
	s.Image = x.Absent
	if _, err := x.Runtime.Create(ctx, s); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("create: %v", err)
	}
	id := "ashore-conformance-absent"
	if _, err := x.Runtime.Inspect(ctx, id); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("inspect: %v", err)
	}
	if err := x.Runtime.Start(ctx, id); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("start: %v", err)
	}
	if err := x.Runtime.Stop(ctx, id, time.Second); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("stop: %v", err)
	}
	if err := x.Runtime.Remove(ctx, id, true); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := x.Runtime.RemoveVolume(ctx, id); err != nil {
		t.Errorf("remove volume: %v", err)
	}
}

func testVolumes(t *testing.T, x Target) {
	name := "ashore-conformance-" + agenttest.Hex(6)
	for range 2 {
		if err := x.Runtime.CreateVolume(t.Context(), runtime.Volume{Name: name, Driver: "local", Labels: map[string]string{Label: x.Installation}}); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := x.Runtime.VolumeExists(t.Context(), name); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if err := x.Runtime.RemoveVolume(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if ok, err := x.Runtime.VolumeExists(t.Context(), name); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if err := x.Runtime.CreateVolume(t.Context(), runtime.Volume{Name: name, Driver: "ashore-no-such-driver"}); err == nil {
		t.Error("a driver that is not there made a volume")
	}
}

func testOtherLabels(t *testing.T, x Target) {
	events := x.followEvents(t, map[string]string{Label: x.Installation, "mine": "yes"})
	theirs := x.create(t, x.spec("others", "exit", "0"))
	s := x.spec("others", "exit", "0")
	s.Labels["mine"] = "yes"
	mine := x.create(t, s)
	for _, id := range []string{theirs, mine} {
		if err := x.Runtime.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for {
		select {
		case e := <-events:
			if e.ID == theirs {
				t.Fatalf("an event of another's container: %+v", e)
			}
			if e.ID == mine && e.Kind == runtime.EventExited {
				return
			}
		case <-time.After(maxWait):
			t.Fatal("no event")
		}
	}
}
