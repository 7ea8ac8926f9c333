package engine_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/link/acs"
)

// bench is an engine on the real runtime whose reports are collected.
type bench struct {
	*engine.Engine
	installation string
	image        string
	reports      chan engine.Report
}

func newBench(t *testing.T) *bench {
	t.Helper()
	d := agenttest.Docker(t)
	b := &bench{reports: make(chan engine.Report, 1000)}
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

func (b *bench) take(arn string) {
	for {
		r, ok := b.Next(arn)
		if !ok {
			return
		}
		b.reports <- r
		b.Delivered(arn, r.Seq)
	}
}

func (b *bench) next(t *testing.T, arn string) engine.Report {
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

func (b *bench) accept(t *testing.T, task acs.Task) {
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
	b.accept(t, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
	r = b.next(t, task.Arn)
	if r.Status != acs.StatusStopped || r.Containers[0].ExitCode == nil || *r.Containers[0].ExitCode != 143 {
		t.Fatalf("%+v", r)
	}
}
