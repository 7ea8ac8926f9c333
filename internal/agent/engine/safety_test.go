package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// An order that can't be journaled is neither acknowledged nor carried out. If Accept does
// not wait for the journal, it is both (seen).
func TestNothingIsDoneBeforeItIsJournaled(t *testing.T) {
	j, err := journal.Open(filepath.Join(t.TempDir(), "j.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil { // nothing is durable from now on
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		host := fake.New(fake.Config{})
		defer host.Close()
		e := engine.New(engine.Config{Runtime: host, Journal: j, InstallationID: "inst", Total: engine.Resources{CPU: 2048, Memory: 4096}})
		defer e.Close()
		e.SetInstance("instance", "default")
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Accept(run("t", box("a", true, "sleep 600")))(); err == nil {
			t.Error("taken over without a journal")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if list, err := host.List(t.Context(), nil); err != nil || len(list) != 0 {
			t.Errorf("containers %v, %v", list, err)
		}
	})
}

// An order whose journal write failed is not acknowledged. When it is sent again, it is
// acknowledged and carried out. That holds for an order to run, for one that this host
// rejects, and for one to stop. A repeated question about a task's end works in the same
// way.
func TestAnOrderSentAgainAfterAFailedWrite(t *testing.T) {
	journaled(t, engine.Config{}, fake.Config{}, func(r *rig) {
		ended := run("ended", box("a", true, "exit 0"))
		r.accept(ended)
		time.Sleep(time.Minute)
		story := "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n"
		r.expect("ended", story)
		orders := map[string]struct {
			task acs.Task
			want string
		}{
			"run":    {run("run", box("a", true, "sleep 600")), "RUNNING a=RUNNING\n"},
			"refuse": {run("refuse", box("a", true, "", port(80, 22))), "STOPPED (resource cannot be initialized for task refuse: host port 22/tcp is reserved on the container instance)\n"},
			"stop":   {stopOf("stop"), "STOPPED (TaskStateError: Agent could not progress task's state to stopped)\n"},
			"ended":  {ended, story + "STOPPED a=STOPPED/0\n"},
		}
		full := errors.New("no space left on device")
		r.journal.FailWrites(func() error { return full })
		for arn, o := range orders {
			if err := r.Accept(o.task)(); !errors.Is(err, full) {
				t.Errorf("%s: taken over without a journal: %v", arn, err)
			}
		}
		r.journal.FailWrites(nil)
		for arn, o := range orders {
			r.accept(o.task)
			time.Sleep(time.Second)
			r.expect(arn, o.want)
		}
		for name, n := range r.fake.Starts() {
			if n != 1 {
				t.Errorf("%s started %d times", name, n)
			}
		}
	})
}

// A start whose answer got lost is not sent again, since the container may have run and
// ended. If it is repeated like other calls, the container runs many times (seen). Its
// result is looked up.
func TestALostStartIsNotRepeated(t *testing.T) {
	lost := func(op, _ string) bool { return op == "start" }
	inBubble(t, engine.Config{}, fake.Config{Lost: lost}, func(r *rig) {
		r.accept(run("t", box("a", true, "exit 3")), run("u", box("a", true, "sleep 600")))
		time.Sleep(time.Minute)
		// The end can arrive before the report of the start. Then the start is not
		// reported.
		if got := r.story("t"); strings.TrimPrefix(got, "RUNNING a=RUNNING\n") != "STOPPED a=STOPPED/3\n" {
			t.Errorf("story of t:\n%s", got)
		}
		r.expect("u", "RUNNING a=RUNNING\n")
		r.startedOnce(2)
	})
}

// A start that was sent and has not happened is reported as failed. It does not happen
// later, neither when the engine is back nor when the engine carries out the old call.
// Without preventStart it does (seen).
func TestAStartThatHasNotHappenedDoesNotHappenLater(t *testing.T) {
	unreachable := &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("connection reset")}
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		var id string
		r.fake.Set(func(c *fake.Config) {
			c.Fail = func(op, subject string) error {
				if op == "start" {
					id = subject
					return unreachable
				}
				return nil
			}
		})
		r.accept(run("t", box("a", true, "sleep 600")))
		time.Sleep(10 * time.Second)
		r.expect("t", "STOPPED a=STOPPED [CannotStartContainerError: connection reset]\n")
		r.fake.Set(func(c *fake.Config) { c.Fail = nil })
		if err := r.fake.Start(r.t.Context(), id); !errors.Is(err, runtime.ErrNotFound) { // the old one, late
			t.Errorf("the late start: %v", err)
		}
		time.Sleep(time.Minute)
		if w := r.fake.Witness(); w.Running != 0 {
			t.Errorf("%+v", w)
		}
	})
}

// A creation of an earlier run of the agent may still be under way: the name is taken, and
// the container does not exist yet. The agent waits for it, whether it succeeds or not.
func TestACreationUnderWayIsWaitedFor(t *testing.T) {
	for _, fails := range []bool{false, true} {
		inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
			task := run("t", box("a", true, "sleep 600"))
			early, cancel := context.WithCancel(r.t.Context())
			defer cancel()
			var done sync.WaitGroup
			r.fake.Set(func(c *fake.Config) { c.CreateDelay = 20 * time.Second })
			done.Go(func() {
				_, err := r.fake.Create(early, runtime.Spec{
					Name: engine.ContainerName(&task, "a"), Image: "img", Command: []string{"sleep", "600"},
					Labels: map[string]string{engine.LabelTask: "t", engine.LabelContainer: "a", engine.LabelInstallation: "inst", engine.LabelInstance: "instance"},
				})
				if (err != nil) != fails {
					t.Error(err)
				}
			})
			time.Sleep(time.Second)
			r.fake.Set(func(c *fake.Config) { c.CreateDelay = 0 })
			r.accept(task)
			time.Sleep(5 * time.Second)
			r.expect("t", "")
			if fails {
				cancel()
			}
			time.Sleep(30 * time.Second)
			done.Wait()
			r.expect("t", "RUNNING a=RUNNING\n")
			r.startedOnce(1)
		})
	}
}

// An agent never touches another installation on the same engine, even if its host's
// instance has the same name: not at its start, not when its journal is lost, and not when
// a task of the same name comes. Without the installation's label in recoverTasks, or its
// comparison in adoptContainer, it takes over the other's containers (both seen).
func TestTwoInstallationsOnOneEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := fake.New(fake.Config{})
		defer host.Close()
		open := func(id string) *engine.Engine {
			e := engine.New(engine.Config{Runtime: host, InstallationID: id, Total: engine.Resources{CPU: 2048, Memory: 4096},
				Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
			t.Cleanup(e.Close)
			e.SetInstance("instance", "default")
			if err := e.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			return e
		}
		one := open("one")
		task := run("t", box("a", true, "sleep 600"))
		if err := one.Accept(task)(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		before, err := host.List(t.Context(), nil)
		if err != nil || len(before) != 1 || before[0].Phase != runtime.PhaseRunning {
			t.Fatalf("%+v, %v", before, err)
		}
		two := open("two")
		if n := len(two.Tasks()); n != 0 {
			t.Errorf("%d tasks of another installation are taken over", n)
		}
		if err := two.Accept(task)(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := two.Accept(acs.Task{Arn: "t", DesiredStatus: acs.StatusStopped})(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		after, err := host.List(t.Context(), map[string]string{engine.LabelInstallation: "one"})
		if err != nil || len(after) != 1 || after[0].ID != before[0].ID || after[0].Phase != runtime.PhaseRunning {
			t.Errorf("%+v, %v", after, err)
		}
	})
}
