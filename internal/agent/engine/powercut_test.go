package engine_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// cut is an engine whose machine loses power. The next boot finds only what is durable
// when the start is sent (early), or a while after it.
type cut struct {
	runtime.Runtime
	spec  runtime.Spec
	early func()
}

func (c *cut) Create(ctx context.Context, s runtime.Spec) (runtime.Created, error) {
	c.spec = s
	return c.Runtime.Create(ctx, s)
}

func (c *cut) Start(ctx context.Context, id string) error {
	c.early()
	return c.Runtime.Start(ctx, id)
}

// TestPowerCutStartsNothingTwice cuts the power when a container has just started. The
// engine writes a start to disk later than it happens. So it has lost the start, or the
// container.
func TestPowerCutStartsNothingTwice(t *testing.T) {
	for name, c := range map[string]struct {
		late    bool   // the journal has it as running
		created bool   // the engine has the container, but not its start
		boot    string // of the second life
		starts  int    // in the second life
		reason  string
	}{
		"start lost":                     {created: true, boot: "two", reason: "whether it had can't be told"},
		"container lost":                 {boot: "two", reason: "whether it had can't be told"},
		"running, start lost":            {late: true, created: true, boot: "two", reason: "no longer knows that the container ran"},
		"running, container lost":        {late: true, boot: "two", reason: "the engine no longer has the container"},
		"no cut: killed before its turn": {created: true, boot: "one", starts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				first, second := fake.New(fake.Config{}), fake.New(fake.Config{})
				defer first.Close()
				defer second.Close()
				before, after := filepath.Join(dir, "1.db"), filepath.Join(dir, "2.db")
				m := &cut{Runtime: first, early: func() {
					if !c.late {
						copyFile(t, before, after)
					}
				}}
				life(t, m, "one", before, func(e *engine.Engine) {
					if err := e.Accept(run("task/1", box("a", true, "sleep 1000000")))(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					if len(first.Starts()) != 1 {
						t.Fatal("it did not start")
					}
					if c.late {
						copyFile(t, before, after)
					}
				})
				if c.created {
					if _, err := second.Create(t.Context(), m.spec); err != nil {
						t.Fatal(err)
					}
				}
				life(t, second, c.boot, after, func(e *engine.Engine) {
					time.Sleep(time.Minute)
					if n := len(second.Starts()); n != c.starts {
						t.Errorf("%d started after the cut", n)
					}
					if c.starts > 0 {
						return
					}
					var last engine.Report
					for {
						r, more := e.NextReport("task/1")
						if !more {
							break
						}
						last = r
						e.MarkDelivered("task/1", r.Seq)
					}
					if last.Status != acs.StatusStopped || !strings.Contains(last.Containers[0].Reason, c.reason) {
						t.Errorf("%+v", last)
					}
				})
			})
		})
	}
}

// life runs an engine on a journal until fn returns.
func life(t *testing.T, rt runtime.Runtime, boot, path string, fn func(*engine.Engine)) {
	j, err := journal.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	e := engine.New(engine.Config{
		Runtime: rt, Journal: j, Boot: boot, InstallationID: "inst", Total: engine.Resources{CPU: 4096, Memory: 4096},
		OnReport: func(string) {},
	})
	defer e.Close()
	e.SetInstance("instance", "default")
	if err := e.Load(); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	fn(e)
}
