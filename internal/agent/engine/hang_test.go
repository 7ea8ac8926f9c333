package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// An engine that hangs is noticed within a minute, and so is its return. Running tasks go
// on. Tasks that are ordered meanwhile fail after minutes, and do not start when the
// engine goes on.
func TestAnEngineThatHangs(t *testing.T) {
	var mu sync.Mutex
	var told []time.Time
	notice := func() {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, time.Now())
	}
	inBubble(t, engine.Config{OnEngine: notice}, fake.Config{}, func(r *rig) {
		r.accept(run("runs", box("a", true, "sleep 100000")))
		time.Sleep(time.Hour)
		if err := r.CheckHealth(r.t.Context()); err != nil || len(told) != 0 {
			t.Fatalf("well, and told %v: %v", told, err)
		}
		r.fake.Hang(nil)
		hung := time.Now()
		var ordered []string
		for i := range 30 { // more than the engine does at the same time
			ordered = append(ordered, fmt.Sprint("ordered ", i))
			r.accept(run(ordered[i], box("a", true, "sleep 100000")))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(told) != 1 || told[0].Sub(hung) > time.Minute {
			t.Errorf("hung at %s, told at %v", hung, told)
		}
		if err := r.CheckHealth(r.t.Context()); err == nil {
			t.Error("an engine that hangs is well")
		}
		time.Sleep(9 * time.Minute)
		for _, arn := range ordered {
			if got := r.story(arn); !strings.HasPrefix(got, "STOPPED") || !strings.Contains(got, "did not answer") {
				t.Errorf("%s: %q", arn, got)
			}
		}
		r.expect("runs", "RUNNING a=RUNNING\n")
		r.fake.Resume()
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := r.CheckHealth(r.t.Context()); err != nil || len(told) != 2 {
			t.Errorf("told %v, %v", told, err)
		}
		r.accept(run("after", box("a", true, "sleep 100000")))
		time.Sleep(time.Minute)
		r.expect("after", "RUNNING a=RUNNING\n")
		r.startedOnce(2)
	})
}

// An engine that answers and starts nothing is not healthy. So it is if its container
// runtime hangs. The starts that were sent to it do not happen later.
func TestAnEngineThatStartsNothing(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		r.accept(run("runs", box("a", true, "sleep 100000")))
		time.Sleep(time.Minute)
		r.fake.Hang(func(op, _ string) bool { return op == "start" || op == "stats" })
		for i := range 20 {
			r.accept(run(fmt.Sprint("new ", i), box("a", true, "sleep 100000")))
		}
		time.Sleep(4 * time.Minute)
		if err := r.CheckHealth(r.t.Context()); err == nil {
			t.Error("an engine that starts nothing is well")
		}
		time.Sleep(20 * time.Minute)
		for i := range 20 {
			if got := r.story(fmt.Sprint("new ", i)); !strings.HasPrefix(got, "STOPPED") || !strings.Contains(got, "timed out after waiting 3m0s") {
				t.Errorf("%d: %q", i, got)
			}
		}
		r.fake.Resume()
		time.Sleep(time.Minute)
		if got := r.running(); len(got) != 1 {
			t.Errorf("run: %v", got)
		}
		r.expect("runs", "RUNNING a=RUNNING\n")
		r.startedOnce(1)
	})
}

// If the engine hangs at the agent's start, the agent waits. It concludes nothing from
// missing answers.
func TestAnEngineThatHangsAtTheStart(t *testing.T) {
	for _, op := range []string{"events", "list", "inspect", ""} {
		journaled(t, engine.Config{}, fake.Config{}, func(r *rig) {
			r.accept(run("t", box("a", true, "sleep 100000"), box("b", false, "sleep 5 exit 3")))
			time.Sleep(2 * time.Second)
			r.die()
			r.clearReports()
			r.fake.Hang(func(called, _ string) bool { return op == "" || called == op })
			timer := time.AfterFunc(time.Hour, r.fake.Resume)
			defer timer.Stop()
			began := time.Now()
			r.live()
			if took := time.Since(began); took < time.Hour || took > time.Hour+time.Minute {
				t.Errorf("%q: taken up after %s", op, took)
			}
			time.Sleep(time.Minute)
			r.expect("t", "RUNNING b=STOPPED/3\n")
			r.startedOnce(2)
		})
	}
}

// For a while, calls hang, fail or lose their answers, and events get lost. In the end
// each task has run or is reported as failed, nothing has started twice, and the reports
// match what runs.
func TestFaultsForAWhile(t *testing.T) {
	ops := []string{"image", "create", "start", "stop", "inspect", "list", "remove", "volume", "removevolume", "events", "ping", "info"}
	for range 12 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			journaled(t, engine.Config{Total: engine.Resources{CPU: 1 << 20, Memory: 1 << 20}}, fake.Config{CreateDelay: 50 * time.Millisecond, StartDelay: 200 * time.Millisecond}, func(r *rig) {
				r.faults(rng, ops)
			})
		})
	}
}

func (r *rig) faults(rng *rand.Rand, ops []string) {
	const tasks = 60
	some := func() string { return ops[rng.IntN(len(ops))] }
	for i := range tasks {
		task := run(fmt.Sprint("task/", i), box("main", true, "sleep 100000"), box("once", false, "sleep 1 exit 0"))
		if i%3 == 0 {
			task.Containers[0].DependsOn = []acs.Dependency{{ContainerName: "once", Condition: acs.ConditionSuccess}}
		}
		r.accept(task)
		if i%4 == 0 && i > 0 {
			r.accept(stopOf(fmt.Sprint("task/", rng.IntN(i))))
		}
		if i%5 > 0 {
			time.Sleep(time.Duration(rng.IntN(int(5 * time.Second))))
			continue
		}
		op, other := some(), some()
		switch rng.IntN(5) {
		case 0:
			r.fake.Hang(nil)
		case 1:
			r.fake.Hang(func(called, _ string) bool { return called == op || called == other })
		case 2:
			r.fake.Set(fake.LostThenRefused(op, &runtime.Error{Err: errors.New("no space left on device")}))
		case 3:
			r.fake.Set(fake.OnlyFirst(op, &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("connection reset")}))
		case 4:
			r.fake.Set(func(c *fake.Config) { c.DropEvent = func(runtime.Event) bool { return true } })
			if rng.IntN(2) == 0 {
				r.fake.CutEvents()
			}
		}
		time.Sleep(time.Duration(rng.IntN(int(3 * time.Minute))))
		r.fake.ClearFaults()
	}
	time.Sleep(time.Hour)
	var want []string
	for i := range tasks {
		arn := fmt.Sprint("task/", i)
		story := strings.Split(strings.TrimSpace(r.story(arn)), "\n")
		switch last := story[len(story)-1]; {
		case strings.HasPrefix(last, acs.StatusStopped):
		case strings.HasPrefix(last, acs.StatusRunning):
			task := run(arn)
			want = append(want, engine.ContainerName(&task, "main"))
		default:
			r.t.Errorf("%s in the end: %q", arn, last)
		}
	}
	slices.Sort(want)
	if got := r.running(); !slices.Equal(got, want) {
		r.t.Errorf("%d run, %d are said to:\n%v\n%v", len(got), len(want), got, want)
	}
	for name, n := range r.fake.Starts() {
		if n != 1 {
			r.t.Errorf("%s started %d times", name, n)
		}
	}
}
