package agent_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/docker"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/tcs"
)

// short are limits for tests.
var short = runtime.Limits{
	Ping: time.Second, Read: 2 * time.Second, Stats: 2 * time.Second, Create: 3 * time.Second, Start: 2 * time.Second, EventsQuiet: 200 * time.Millisecond,
}

// waitHostStatus waits for the n-th telemetry message with that status of the host.
func waitHostStatus(p *agenttest.Plane, want string, n int) {
	agenttest.WaitTelemetry(p, func(m *tcs.PublishInstanceStatusRequest) bool {
		if m.Statuses[0].Status == want {
			n--
		}
		return n < 0
	})
}

// A host whose engine hangs reports that it is impaired, although every sample of its
// containers hangs too. When the engine works again, it reports that. The test has two
// cases: nothing is answered, or only samples and starts are not.
func TestAHostWhoseEngineHangsIsImpaired(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]func(op, subject string) bool{
		"all":  nil,
		"work": func(op, _ string) bool { return op == "stats" || op == "start" },
	} {
		t.Run(name, func(t *testing.T) {
			h := simulated(t, func(p *agenttest.Plane) { p.Extensions = true })
			h.cfg.Limits, h.cfg.EngineAway, h.cfg.MetricsEvery = short, 200*time.Millisecond, 200*time.Millisecond
			host := h.cfg.Runtime.(*fake.Fake)
			h.start()
			instance := h.plane.WaitInstance(1)
			h.plane.Order(instance, simulatedTask("a"), simulatedTask("b"), simulatedTask("c"))
			for _, arn := range []string{"a", "b", "c"} {
				h.plane.WaitReport(arn, acs.StatusRunning)
			}
			agenttest.WaitTelemetry(h.plane, func(m *tcs.PublishMetricsRequest) bool { return len(m.TaskMetrics) == 3 })
			h.plane.Send(&acs.HeartbeatMessage{MessageID: "1"})
			waitHostStatus(h.plane, tcs.StatusOK, 0)
			for round := range 2 {
				host.Hang(hangs)
				waitHostStatus(h.plane, tcs.StatusImpaired, round)
				host.Resume()
				waitHostStatus(h.plane, tcs.StatusOK, round+1)
			}
		})
	}
}

// TestARealEngineThatHangs makes a proxy of the engine hang while tasks start. No task
// starts twice, and the reports match what runs.
func TestARealEngineThatHangs(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	direct, proxy := agenttest.Docker(t), agenttest.NewProxy(t)
	d, err := docker.New(proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	h.cfg.Runtime, h.cfg.Limits, h.cfg.EngineAway = d, short, time.Second
	starts := witness(t, direct, h.id)
	h.start()
	instance := h.plane.WaitInstance(1)
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var all []acs.Task
	for round := range 3 {
		some := []acs.Task{h.task("sleep", "600"), h.task("exit", "3"), h.task("sleep", "600"), h.task("sleep", "600")}
		all = append(all, some...)
		h.plane.Order(instance, some...)
		time.Sleep(time.Duration(rng.IntN(800)) * time.Millisecond) // the random moment itself
		proxy.Hang()
		waitHostStatus(h.plane, tcs.StatusImpaired, round)
		proxy.Resume()
		waitHostStatus(h.plane, tcs.StatusOK, round)
	}
	var want []string
	for _, task := range all {
		last := agenttest.Wait(h.plane, "an outcome of "+task.Arn, func() (agenttest.Submitted, bool) {
			for _, s := range slices.Backward(h.plane.SubmissionsLocked()) {
				if s.Task == task.Arn && (s.Status == acs.StatusStopped || s.Status == acs.StatusRunning && task.Containers[0].Command[0] != "exit") {
					return s, true
				}
			}
			return agenttest.Submitted{}, false
		})
		if last.Status == acs.StatusRunning {
			want = append(want, task.Arn)
		}
	}
	slices.Sort(want)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		list, err := direct.List(t.Context(), map[string]string{engine.LabelInstallation: h.id})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range list {
			if c.Phase == runtime.PhaseRunning {
				got = append(got, c.Labels[engine.LabelTask])
			}
		}
		if slices.Sort(got); slices.Equal(got, want) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d run, %d are said to:\n%v\n%v", len(got), len(want), got, want)
		}
	}
	for container, n := range starts() {
		if n != 1 {
			t.Errorf("%s started %d times", container, n)
		}
	}
	t.Logf("%d tasks, %d run in the end", len(all), len(want))
}

// If the engine is away when the agent starts, the agent waits for it, even if it has lost
// its journal.
func TestAnEngineThatIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	h := simulated(t, func(p *agenttest.Plane) { p.Extensions = true })
	host := h.cfg.Runtime.(*fake.Fake)
	stop := h.start()
	instance := h.plane.WaitInstance(1)
	h.plane.Order(instance, simulatedTask("a"))
	h.plane.WaitReport("a", acs.StatusRunning)
	stop()
	h.plane.ForgetConnection()
	h.cfg.Dir = t.TempDir()
	var asked atomic.Int32
	host.Set(func(c *fake.Config) {
		c.Fail = func(op, _ string) error {
			if op == "list" || op == "inspect" || op == "events" {
				if asked.Add(1) < 12 {
					return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("connection refused")}
				}
			}
			return nil
		}
	})
	h.start()
	if again := h.plane.WaitInstance(2); again != instance {
		t.Errorf("registered as %s, was %s", again, instance)
	}
	inv := agenttest.WaitMessage(h.plane, func(m *acs.InventoryMessage) bool { return len(m.Tasks) > 0 })
	if len(inv.Tasks) != 1 || inv.Tasks[0].TaskArn != "a" || inv.Tasks[0].Status != acs.StatusRunning {
		t.Errorf("%+v", inv)
	}
}
