package engine_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// container finds a task's container at the engine.
func (r *rig) container(task, name string) runtime.Container {
	r.t.Helper()
	list, err := r.fake.List(r.t.Context(), map[string]string{engine.LabelTask: task, engine.LabelContainer: name})
	list = slices.DeleteFunc(list, func(c runtime.Container) bool { return c.Name == byHand })
	if err != nil || len(list) != 1 {
		r.t.Fatalf("%s/%s: %+v, %v", task, name, list, err)
	}
	return list[0]
}

// running returns the names of the containers that run.
func (r *rig) running() []string {
	r.t.Helper()
	synctest.Wait()
	list, err := r.fake.List(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, c := range list {
		if c.Phase == runtime.PhaseRunning {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return out
}

// dropEvents loses events of some kinds.
func (r *rig) dropEvents(kinds ...runtime.EventKind) {
	r.fake.Set(func(c *fake.Config) {
		c.DropEvent = func(ev runtime.Event) bool { return slices.Contains(kinds, ev.Kind) }
	})
}

const byHand = "by-hand"

func (r *rig) start(id string) {
	r.t.Helper()
	if err := r.fake.Start(r.t.Context(), id); err != nil {
		r.t.Fatal(err)
	}
}

// runByHand runs a container, as a user may.
func (r *rig) runByHand(labels map[string]string) {
	r.t.Helper()
	c, err := r.fake.Create(r.t.Context(), runtime.Spec{Name: byHand, Image: "img", Labels: labels})
	if err != nil {
		r.t.Fatal(err)
	}
	r.start(c.ID)
}

// A container that runs and should not is stopped, and its port is free. That happens at
// once if an event reports it, else at the next comparison with the engine, which comes
// within minutes, or when the agent starts again. Other containers go on.
func TestWhatRunsAndShouldNotIsStopped(t *testing.T) {
	end := func(name string, code int) func(*rig) {
		return func(r *rig) { r.fake.Exit(r.container("t", name).ID, code) }
	}
	start := func(name string) func(*rig) {
		return func(r *rig) { r.start(r.container("t", name).ID) }
	}
	one := run("t", box("a", true, "sleep 100000", port(80, 8080)))
	two := run("t", box("a", true, "sleep 100000", port(80, 8080)), box("side", false, "sleep 100000"))
	var labels map[string]string
	for name, c := range map[string]struct {
		task   acs.Task
		before func(*rig) // some time before
		do     func(*rig)
		up     bool // only if the agent runs meanwhile
	}{
		"restarted by hand": {task: one, up: true, do: func(r *rig) {
			if err := r.fake.Restart(r.container("t", "a").ID); err != nil {
				t.Fatal(err)
			}
		}},
		"killed and started by hand": {task: one, up: true, do: func(r *rig) {
			id := r.container("t", "a").ID
			r.fake.Exit(id, 137)
			r.start(id)
		}},
		"started by hand after its end": {task: one, before: end("a", 1), do: start("a")},
		"a sidecar of an ended task":    {task: two, before: end("a", 1), do: start("side")},
		"a sidecar that has ended": {task: two, before: end("side", 0), do: func(r *rig) {
			start("side")(r)
			end("a", 1)(r)
		}},
		"the engine's restart policy": {task: run("t", box("a", true, "revived sleep 100000", port(80, 8080))), up: true, do: end("a", 1)},
		"labels of a task that was cleaned up": {task: one, before: func(r *rig) {
			labels = r.container("t", "a").Labels
			end("a", 1)(r)
			time.Sleep(4 * time.Hour)
		}, do: func(r *rig) { r.runByHand(labels) }},
		"labels of a task that ends": {task: one, do: func(r *rig) {
			r.runByHand(r.container("t", "a").Labels)
			end("a", 1)(r)
		}},
		"labels of nothing": {task: one, before: end("a", 1), do: func(r *rig) {
			r.runByHand(map[string]string{engine.LabelInstallation: "inst", engine.LabelInstance: "instance"})
		}},
	} {
		for _, way := range []string{"told", "looked", "restarted"} {
			if way == "restarted" && c.up {
				continue
			}
			t.Run(name+"/"+way, func(t *testing.T) {
				journaled(t, engine.Config{}, fake.Config{}, func(r *rig) {
					r.accept(c.task, run("other", box("a", true, "sleep 100000"), box("done", false, "sleep 5")))
					time.Sleep(time.Minute)
					stays := r.container("other", "a").Name
					if c.before != nil {
						c.before(r)
						time.Sleep(time.Minute)
					}
					wait := time.Minute
					switch way {
					case "looked":
						r.dropEvents(runtime.EventStarted)
						wait = 10 * time.Minute
					case "restarted":
						r.die()
					}
					c.do(r)
					if way == "restarted" {
						r.live()
					}
					time.Sleep(wait)
					if got := r.running(); !slices.Equal(got, []string{stays}) {
						t.Errorf("run: %v", got)
					}
					r.dropEvents()
					r.accept(run("next", box("a", true, "sleep 100000", port(80, 8080))))
					time.Sleep(time.Second)
					r.expect("next", "RUNNING a=RUNNING\n")
					r.expect("other", "RUNNING a=RUNNING done=RUNNING\nRUNNING done=STOPPED/0\n")
				})
			})
		}
	}
}

// The agent never touches a container of another instance or of another installation.
func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		for name, labels := range map[string]map[string]string{
			"none":         nil,
			"instance":     {engine.LabelInstallation: "inst", engine.LabelInstance: "another"},
			"installation": {engine.LabelInstallation: "another", engine.LabelInstance: "instance", engine.LabelTask: "t"},
			"no instance":  {engine.LabelInstallation: "inst", engine.LabelTask: "t"},
		} {
			c, err := r.fake.Create(r.t.Context(), runtime.Spec{Name: name, Image: "img", Labels: labels})
			if err != nil {
				t.Fatal(err)
			}
			r.start(c.ID)
		}
		time.Sleep(time.Hour)
		if got := r.running(); len(got) != 4 {
			t.Errorf("run: %v", got)
		}
	})
}

// An exit without an event, or in a gap of the stream, is found. So is an exit that came
// before the start's own answer.
func TestAnExitThatNoEventTells(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{StartDelay: time.Second}, func(r *rig) {
		r.accept(run("lost", box("a", true, "sleep 600 exit 3")), run("gone", box("a", true, "sleep 100000")), run("sick", box("a", true, "healthy 60", checked)))
		time.Sleep(30 * time.Second)
		r.dropEvents(runtime.EventExited, runtime.EventRemoved, runtime.EventHealth)
		if err := r.fake.Remove(r.t.Context(), r.container("gone", "a").ID, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		r.expect("lost", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/3\n")
		r.expect("gone", "RUNNING a=RUNNING\nSTOPPED a=STOPPED [ContainerVanishedError: the engine no longer has the container]\n")
		if v, ok := r.Task("sick"); !ok || v.Containers[0].Health != runtime.Healthy {
			t.Errorf("%+v", v)
		}
	})
	// The stream breaks during a start and is back before the start's answer.
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		slow := &slowStart{Runtime: r.fake, by: 20 * time.Second}
		r.Close()
		r.cfg.Runtime = slow
		r.live()
		r.accept(run("t", box("a", true, "sleep 1 exit 3")))
		time.Sleep(500 * time.Millisecond)
		r.dropEvents(runtime.EventExited)
		time.Sleep(time.Second) // it has ended without an event
		r.dropEvents()
		r.fake.CutEvents()
		time.Sleep(30 * time.Second)
		r.expect("t", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/3\n")
	})
}

// While the events are lost, the start gets no answer, and its result is looked up. An
// exit between the look-up and the report of the start is found. So is an exit before the
// events are back, after a start that was sent earlier.
func TestAnExitBesideAStart(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{Lost: func(op, _ string) bool { return op == "start" }}, func(r *rig) {
		r.Close()
		r.cfg.Runtime = &shortRun{Runtime: r.fake, rig: r}
		r.live()
		time.Sleep(time.Minute)
		r.accept(run("t", box("a", true, "sleep 100000")))
		time.Sleep(time.Minute)
		r.expect("t", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/9\n")
	})
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		r.Close()
		r.cfg.Runtime = &slowStart{Runtime: r.fake, by: 5 * time.Second}
		r.live()
		time.Sleep(time.Minute)
		r.fake.CutEvents()
		synctest.Wait()
		r.fake.Hang(func(op, _ string) bool { return op == "events" })
		r.accept(run("t", box("a", true, "sleep 1 exit 3")))
		time.Sleep(3 * time.Second)
		r.fake.Resume() // the events are back, but not the start's answer
		time.Sleep(time.Minute)
		r.expect("t", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/3\n")
	})
}

// shortRun is an engine whose container ends right after it was seen running, without an
// event.
type shortRun struct {
	runtime.Runtime
	*rig
	once sync.Once
}

func (s *shortRun) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	c, err := s.Runtime.Inspect(ctx, id)
	if err == nil && c.Phase == runtime.PhaseRunning {
		s.once.Do(func() {
			s.dropEvents(runtime.EventExited)
			s.fake.Exit(id, 9)
		})
	}
	return c, err
}

// slowStart is an engine that answers starts late.
type slowStart struct {
	runtime.Runtime
	by time.Duration
}

func (s *slowStart) Start(ctx context.Context, id string) error {
	err := s.Runtime.Start(ctx, id)
	time.Sleep(s.by)
	return err
}
