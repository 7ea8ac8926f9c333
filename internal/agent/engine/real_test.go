package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// realRig is an engine on the real runtime that collects reports.
type realRig struct {
	*engine.Engine
	installation string
	image        string
	reports      chan engine.Report
	runtime      runtime.Runtime
}

// awaitOOM starts to watch the runtime's events. The returned function returns once the
// runtime has told that a process in some container was killed for lack of memory.
func (b *realRig) awaitOOM(t *testing.T) (wait func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	subscribed, killed, ended := make(chan struct{}), make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- b.runtime.Events(ctx, map[string]string{engine.LabelInstallation: b.installation}, func() { close(subscribed) }, func(ev runtime.Event) {
			if ev.Kind == runtime.EventOOM {
				select {
				case killed <- struct{}{}:
				default:
				}
			}
		})
	}()
	t.Cleanup(cancel)
	select {
	case <-subscribed:
	case err := <-ended:
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		select {
		case <-killed:
		case err := <-ended:
			t.Fatal(err)
		}
	}
}

func newBench(t *testing.T) *realRig {
	t.Helper()
	d := agenttest.Docker(t)
	b := &realRig{reports: make(chan engine.Report, 1000), runtime: d}
	b.image = agenttest.Image(t, d)
	b.installation = agenttest.Installation(t, d, engine.LabelInstallation)
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	b.Engine = engine.New(engine.Config{
		Runtime: d, Journal: j, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
		InstallationID: b.installation, Region: "us-east-1",
		Total: engine.Resources{CPU: 2048, Memory: 8192}, ProbePort: engine.ProbePort,
		OnReport: func(arn string) { go b.take(arn) },
	})
	b.SetInstance("arn:aws:ecs:us-east-1:000000000000:container-instance/default/"+agenttest.Hex(16), "default")
	if err := b.Load(); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *realRig) take(arn string) {
	for {
		r, ok := b.NextReport(arn)
		if !ok {
			return
		}
		b.reports <- r
		b.MarkDelivered(arn, r.Seq)
	}
}

func (b *realRig) next(t *testing.T, arn string) engine.Report {
	t.Helper()
	for {
		select {
		case r := <-b.reports:
			if r.TaskArn == arn {
				return r
			}
		case <-time.After(60 * time.Second):
			t.Fatal("no report")
		}
	}
}

func arn() string { return "arn:aws:ecs:us-east-1:000000000000:task/default/" + agenttest.Hex(16) }

func (b *realRig) accept(t *testing.T, task acs.Task) {
	t.Helper()
	if err := b.Accept(task)(); err != nil {
		t.Fatal(err)
	}
}

func TestOneContainerFromStartToStop(t *testing.T) {
	b := newBench(t)
	task := acs.Task{
		Arn: arn(), DesiredStatus: acs.StatusRunning, Family: "fam", Version: "3", NetworkMode: "bridge",
		Containers: []acs.Container{{
			Name: "web", Image: b.image, Essential: true, Memory: 32, CPU: 16,
			Command: []string{"http", "8080", "sleep", "60"}, PortMappings: []acs.PortMapping{{ContainerPort: 8080}},
		}},
	}
	began := time.Now()
	b.accept(t, task)
	r := b.next(t, task.Arn)
	t.Log("running after", time.Since(began), fmt.Sprintf("%+v", r))
	if r.Status != acs.StatusRunning || len(r.Containers) != 1 || len(r.Containers[0].Ports) != 1 {
		t.Fatalf("%+v", r)
	}
	waitReady(t, r.Containers[0].Ports[0].HostPort)
	b.accept(t, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
	r = b.next(t, task.Arn)
	if r.Status != acs.StatusStopped || r.Containers[0].ExitCode == nil || *r.Containers[0].ExitCode != 143 {
		t.Fatalf("%+v", r)
	}
}

// waitReady waits until a container answers on its port. From then on it obeys signals.
func waitReady(t *testing.T, port int) {
	t.Helper()
	var lastErr error
	for range 200 {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			res.Body.Close()
			return
		}
		lastErr = err
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(lastErr)
}

func (b *realRig) run(t *testing.T, task acs.Task) engine.Report {
	t.Helper()
	task.Arn, task.DesiredStatus, task.Family, task.Version = arn(), acs.StatusRunning, "fam", "1"
	for i := range task.Containers {
		task.Containers[i].Image = b.image
	}
	b.accept(t, task)
	return b.waitStopped(t, task.Arn)
}

// waitStopped waits for a task's STOPPED report.
func (b *realRig) waitStopped(t *testing.T, arn string) engine.Report {
	t.Helper()
	for {
		if r := b.next(t, arn); r.Status == acs.StatusStopped {
			return r
		}
	}
}

// TestRealEngineSettings runs containers whose settings show in what they write into a
// folder of the host.
func TestRealEngineSettings(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	out := acs.Volume{Name: "out", Host: &acs.HostVolume{SourcePath: dir}}
	mount := []acs.MountPoint{{SourceVolume: "out", ContainerPath: "/out"}}
	content := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(data)
	}
	t.Run("order, entry point, override, links and shared volumes", func(t *testing.T) {
		r := b.run(t, acs.Task{
			NetworkMode: "bridge", Volumes: []acs.Volume{out, {Name: "scratch", Host: &acs.HostVolume{}}},
			Containers: []acs.Container{
				{
					Name: "last", Essential: true, Memory: 16, Command: []string{"exit", "9"}, MountPoints: mount,
					Overrides:   acs.ContainerOverrides{Command: []string{"append", "/out/order", "last", "append", "/scratch/x", "y", "exit", "4"}},
					DependsOn:   []acs.Dependency{{ContainerName: "first", Condition: acs.ConditionSuccess}},
					VolumesFrom: []acs.VolumeFrom{{SourceContainer: "holder"}}, Links: []string{"holder:h"},
				},
				{Name: "first", Memory: 16, EntryPoint: []string{"/probe", "append", "/out/order", "first"}, Command: []string{"sleep", "0.3"}, MountPoints: mount},
				{Name: "holder", Memory: 16, Command: []string{"sleep", "60"}, MountPoints: []acs.MountPoint{{SourceVolume: "scratch", ContainerPath: "/scratch"}}},
			},
		})
		if got := content("order"); got != "first\nlast\n" {
			t.Errorf("order: %q", got)
		}
		for _, c := range r.Containers {
			if c.Name == "last" && (c.ExitCode == nil || *c.ExitCode != 4) {
				t.Errorf("%+v", c)
			}
		}
	})
	t.Run("documents of the engine on top of the fields", func(t *testing.T) {
		r := b.run(t, acs.Task{Containers: []acs.Container{{
			Name: "a", Essential: true, Memory: 16, Command: []string{"append", "/x", "y"},
			DockerConfig: &acs.DockerConfig{HostConfig: `{"NetworkMode":"none","ReadonlyRootfs":true,"CapDrop":["ALL"]}`, Config: `{"WorkingDir":"/","StopSignal":"SIGUSR1"}`},
		}}})
		if c := r.Containers[0]; c.ExitCode == nil || *c.ExitCode != 1 { // read-only
			t.Errorf("%+v", c)
		}
	})
	t.Run("a signal of its own", func(t *testing.T) {
		task := acs.Task{
			Arn: arn(), DesiredStatus: acs.StatusRunning, Family: "fam", Version: "1", NetworkMode: "bridge",
			Containers: []acs.Container{{
				Name: "a", Image: b.image, Essential: true, Memory: 32, Command: []string{"http", "80", "sleep", "60"},
				PortMappings: []acs.PortMapping{{ContainerPort: 80}}, DockerConfig: &acs.DockerConfig{Config: `{"StopSignal":"SIGUSR1"}`},
			}},
		}
		b.accept(t, task)
		waitReady(t, b.next(t, task.Arn).Containers[0].Ports[0].HostPort)
		b.accept(t, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
		if c := b.waitStopped(t, task.Arn).Containers[0]; c.ExitCode == nil || *c.ExitCode != 5 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("out of memory", func(t *testing.T) {
		r := b.run(t, acs.Task{Containers: []acs.Container{{Name: "a", Essential: true, Memory: 16, Command: []string{"eat", "200", "sleep", "30"}}}})
		if c := r.Containers[0]; c.ExitCode == nil || *c.ExitCode != 137 || c.Reason != "OutOfMemoryError: Container killed due to memory usage" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a child out of memory", func(t *testing.T) {
		r := b.run(t, acs.Task{Containers: []acs.Container{{Name: "a", Essential: true, Memory: 16, Command: []string{"feed", "200", "exit", "1"}}}})
		if c := r.Containers[0]; c.ExitCode == nil || *c.ExitCode != 1 || c.Reason != "OutOfMemoryError: Container killed due to memory usage" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a child out of memory, then a stop", func(t *testing.T) {
		task := acs.Task{Arn: arn(), DesiredStatus: acs.StatusRunning, Family: "fam", Version: "1", Volumes: []acs.Volume{out},
			Containers: []acs.Container{{Name: "a", Image: b.image, Essential: true, Memory: 16, StopTimeout: 1, MountPoints: mount,
				Command: []string{"feed", "200", "append", "/out/fed", "x", "deaf", "sleep", "60"}}}}
		killed := b.awaitOOM(t)
		b.accept(t, task)
		b.next(t, task.Arn)
		killed() // an event that comes after the stop looks like its cause
		for waited := 0; ; waited++ {
			if _, err := os.Stat(filepath.Join(dir, "fed")); err == nil {
				break
			} else if waited > 600 {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		b.accept(t, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
		if c := b.waitStopped(t, task.Arn).Containers[0]; c.ExitCode == nil || *c.ExitCode != 137 || c.Reason != "" {
			t.Errorf("%+v", c)
		}
	})
	for name, c := range map[string]struct {
		box    acs.Container
		prefix string
	}{
		"no such binary":      {acs.Container{EntryPoint: []string{"/nope"}}, "CannotStartContainerError: Error response from daemon: "},
		"too little memory":   {acs.Container{Memory: 4}, "CannotCreateContainerError: Error response from daemon: Minimum memory limit allowed is 6MB"},
		"unreadable document": {acs.Container{DockerConfig: &acs.DockerConfig{HostConfig: `{"Privileged":3}`}}, "DockerClientConfigError: Unable decode given docker"},
		"unknown key":         {acs.Container{DockerConfig: &acs.DockerConfig{HostConfig: `{"PidsLimit":5}`}}, "DockerClientConfigError: Unable decode given docker host config: key PidsLimit is not supported on this container instance"},
		"no health check":     {acs.Container{HealthCheckType: acs.HealthCheckDocker}, "DockerClientConfigError: docker health check is nil while container health check type is DOCKER"},
		"no such log driver":  {acs.Container{DockerConfig: &acs.DockerConfig{HostConfig: `{"LogConfig":{"Type":"nope"}}`}}, "CannotCreateContainerError: Error response from daemon: "},
	} {
		t.Run(name, func(t *testing.T) {
			c.box.Name, c.box.Essential = "a", true
			r := b.run(t, acs.Task{Containers: []acs.Container{c.box}})
			if got := r.Containers[0]; !strings.HasPrefix(got.Reason, c.prefix) || got.ExitCode != nil {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("ports in the definition's order, a range as one", func(t *testing.T) {
		task := acs.Task{
			Arn: arn(), DesiredStatus: acs.StatusRunning, Family: "fam", Version: "1", NetworkMode: "bridge",
			Containers: []acs.Container{{
				Name: "a", Image: b.image, Essential: true, Memory: 32, Command: []string{"sleep", "60"},
				PortMappings: []acs.PortMapping{{ContainerPort: 443}, {ContainerPortRange: "8000-8005", Protocol: "udp"}, {ContainerPort: 80}, {ContainerPort: 22}, {ContainerPort: 53}},
			}},
		}
		b.accept(t, task)
		var got []string
		for _, p := range b.next(t, task.Arn).Containers[0].Ports {
			got = append(got, fmt.Sprint(p.ContainerPort, "+", max(p.Count, 1)))
		}
		if s := strings.Join(got, " "); s != "443+1 8000+6 80+1 22+1 53+1" {
			t.Error(s)
		}
		b.accept(t, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
		b.waitStopped(t, task.Arn)
	})
	t.Run("health", func(t *testing.T) {
		r := b.run(t, acs.Task{
			Volumes: []acs.Volume{out},
			Containers: []acs.Container{
				{
					Name: "db", Essential: true, Memory: 32, HealthCheckType: acs.HealthCheckDocker, MountPoints: mount,
					Command:      []string{"append", "/out/alive", "x", "sleep", "60"},
					DockerConfig: &acs.DockerConfig{Config: `{"Healthcheck":{"Test":["CMD","/probe","alive","/out/alive"],"Interval":1000000000,"Timeout":5000000000,"Retries":3}}`},
				},
				{Name: "app", Essential: true, Memory: 16, Command: []string{"exit", "6"}, DependsOn: []acs.Dependency{{ContainerName: "db", Condition: acs.ConditionHealthy}}},
			},
		})
		for _, c := range r.Containers {
			if c.Name == "app" && (c.ExitCode == nil || *c.ExitCode != 6) {
				t.Errorf("%+v", c)
			}
		}
	})
}

// TestAContainerStartedAgainByHand: if a user starts a container again, either its task
// ends, or the task has ended and the container is stopped. Its port is then free.
func TestAContainerStartedAgainByHand(t *testing.T) {
	b := newBench(t)
	d := agenttest.Docker(t)
	task := acs.Task{
		Arn: arn(), DesiredStatus: acs.StatusRunning, Family: "fam", Version: "1", NetworkMode: "bridge",
		Containers: []acs.Container{{
			Name: "web", Image: b.image, Essential: true, Memory: 32,
			Command: []string{"http", "8080", "sleep", "600"}, PortMappings: []acs.PortMapping{{ContainerPort: 8080}},
		}},
	}
	b.accept(t, task)
	r := b.next(t, task.Arn)
	id := r.Containers[0].RuntimeID
	waitReady(t, r.Containers[0].Ports[0].HostPort)
	for range 2 { // as `docker restart`, then as `docker start`
		if err := d.Stop(t.Context(), id, time.Second); err != nil {
			t.Fatal(err)
		}
		if err := d.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		started, err := d.Inspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			c, err := d.Inspect(t.Context(), id)
			if err != nil || !c.StartedAt.Equal(started.StartedAt) {
				t.Fatalf("%+v, %v", c, err)
			}
			if c.Phase == runtime.PhaseExited {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("it runs on")
			}
		}
	}
	if r := b.waitStopped(t, task.Arn); len(r.Containers) != 1 || r.Containers[0].ExitCode == nil {
		t.Errorf("%+v", r)
	}
}
