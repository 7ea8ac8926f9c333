package engine_test

import (
	"errors"
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
	"github.com/ashore/ashore/internal/link/acs"
)

// An order that can't be journaled is neither acknowledged nor acted upon.
// Without the wait for the journal in Accept it is both (seen).
func TestNothingIsDoneBeforeItIsJournaled(t *testing.T) {
	j, err := journal.Open(filepath.Join(t.TempDir(), "j.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil { // what it takes from now on is not durable
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

// An order whose journal write failed is not acknowledged; sent again it is, and
// then it is carried out, whichever order it is: one to run, one that this host
// refuses, one to stop. So is the end of a task that is asked for once more.
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

// A start whose answer got lost is not asked for again: what it started may have
// run and ended. Repeated like other calls it runs many times (seen). What is
// reported as not started does not run on: it does without ensureStopped (seen).
func TestALostStartIsNotRepeated(t *testing.T) {
	lost := func(op, _ string) bool { return op == "start" }
	inBubble(t, engine.Config{}, fake.Config{Lost: lost}, func(r *rig) {
		r.accept(run("t", box("a", true, "exit 0")), run("u", box("a", true, "sleep 600")))
		time.Sleep(time.Minute)
		for _, arn := range []string{"t", "u"} {
			if got := r.story(arn); !strings.HasPrefix(got, "STOPPED") {
				t.Error(got)
			}
		}
		list, err := r.fake.List(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			if c.Phase == runtime.PhaseRunning {
				t.Errorf("%s runs, though it was reported as not started", c.Name)
			}
		}
		starts := r.fake.Starts()
		for name, n := range starts {
			if n != 1 {
				t.Errorf("%s started %d times", name, n)
			}
		}
		if len(starts) != 2 {
			t.Errorf("started: %v", starts)
		}
	})
}

// An agent touches nothing of another installation on the same engine, whatever
// the host's instance is called there, at its start, when its journal is lost
// and when a task of the same name comes. Without the installation's label in
// recover, or its comparison in adopt, it takes the other's over (both seen).
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
