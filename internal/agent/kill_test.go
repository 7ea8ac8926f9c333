package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/cgroup"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/wire/acs"
)

const childEnv = "ASHORE_TEST_AGENT"

// child is the configuration that an agent process gets by its environment.
type child struct {
	Dir      string
	Settings agent.Settings
}

// TestMain lets this binary run as an agent, for tests that kill it.
func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		var c child
		if err := json.Unmarshal([]byte(spec), &c); err != nil {
			panic(err)
		}
		err := agent.Agent{Config: agent.Config{
			Dir: c.Dir, Settings: &c.Settings, Version: "test", Getenv: func(string) string { return "" },
			Credentials: func() (session.Credentials, error) {
				return session.Credentials{AccessKeyID: "AK", SecretAccessKey: "SK"}, nil
			},
			Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		}}.Run(context.Background())
		fmt.Fprintln(os.Stderr, "agent ended:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// witness counts the starts that the container engine reports.
func witness(t *testing.T, d runtime.Runtime, installation string) (counts func() map[string]int) {
	t.Helper()
	var mu sync.Mutex
	starts := map[string]int{}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Events(ctx, map[string]string{engine.LabelInstallation: installation}, func() { close(ready) }, func(e runtime.Event) {
			if e.Kind == runtime.EventStarted {
				mu.Lock()
				starts[e.Labels[engine.LabelTask]+" "+e.Labels[engine.LabelContainer]]++
				mu.Unlock()
			}
		})
	}()
	<-ready
	t.Cleanup(func() { cancel(); <-done })
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		out := map[string]int{}
		for k, v := range starts {
			out[k] = v
		}
		return out
	}
}

// TestKilledAgentStartsEachContainerOnce kills agent processes with -9 at random moments
// of a burst of tasks. It counts from the engine's events how often each container was
// started.
func TestKilledAgentStartsEachContainerOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	starts := witness(t, agenttest.Docker(t), h.id)
	spec, err := json.Marshal(child{Dir: h.cfg.Dir, Settings: *h.cfg.Settings})
	if err != nil {
		t.Fatal(err)
	}
	const tasks, kills = 10, 6
	var all []acs.Task
	for i := range tasks {
		command := []string{"sleep", "600"}
		if i%3 == 0 {
			command = []string{"exit", "3"}
		}
		all = append(all, h.task(command...))
	}
	instance := ""
	for life := 1; ; life++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := sync.OnceFunc(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		t.Cleanup(kill)
		if got := h.plane.WaitInstance(life); instance == "" {
			instance = got
		} else if got != instance {
			t.Fatalf("life %d registered as %s, was %s", life, got, instance)
		}
		// As the server does: a task without a report is ordered again.
		reported := map[string]bool{}
		for _, s := range h.plane.Submissions() {
			reported[s.Task] = true
		}
		var again []acs.Task
		for _, task := range all {
			if !reported[task.Arn] {
				again = append(again, task)
			}
		}
		h.plane.Order(instance, again...)
		if life > kills {
			break
		}
		time.Sleep(time.Duration(50+rng.IntN(700)) * time.Millisecond) // the random moment itself
		kill()
		h.plane.ForgetConnection()
	}
	for i, task := range all {
		if i%3 == 0 {
			r := h.plane.WaitReport(task.Arn, acs.StatusStopped)
			if c := r.Containers[0]; c.ExitCode == nil || *c.ExitCode != 3 {
				t.Errorf("%+v", r)
			}
		} else {
			h.plane.WaitReport(task.Arn, acs.StatusRunning)
		}
	}
	counted := starts()
	for deadline := time.Now().Add(time.Minute); len(counted) < tasks && time.Now().Before(deadline); counted = starts() {
		time.Sleep(10 * time.Millisecond) // the engine answers a start before it sends the event
	}
	for _, task := range all {
		if n := counted[task.Arn+" main"]; n != 1 {
			t.Errorf("%s started %d times", task.Arn, n)
		}
	}
}

// TestManifestStopsOnlyWhatTheServerConfirms tests the verification of stops.
func TestManifestStopsOnlyWhatTheServerConfirms(t *testing.T) {
	h := newHost(t)
	h.start()
	instance := h.plane.WaitInstance(1)
	keeps, goes := h.task("sleep", "600"), h.task("sleep", "600")
	h.plane.Order(instance, keeps, goes)
	h.plane.WaitReport(keeps.Arn, acs.StatusRunning)
	h.plane.WaitReport(goes.Arn, acs.StatusRunning)
	manifest := func(id string, timeline int64) {
		h.plane.Send(&acs.TaskManifestMessage{MessageID: id, ClusterArn: "c", ContainerInstanceArn: instance, Timeline: timeline,
			Tasks: []acs.ManifestTask{{TaskArn: keeps.Arn, DesiredStatus: acs.StatusRunning}}})
	}
	manifest("old", 1) // not newer than the payload: ignored
	manifest("new", 10)
	ask := agenttest.WaitMessage(h.plane, func(m *acs.TaskStopVerificationMessage) bool { return true })
	if ask.MessageID != "new" || len(ask.StopCandidates) != 1 || ask.StopCandidates[0].TaskArn != goes.Arn {
		t.Fatalf("%+v", ask)
	}
	h.plane.Send(&acs.TaskStopVerificationAck{MessageID: "old", StopTasks: []acs.ManifestTask{{TaskArn: keeps.Arn, DesiredStatus: acs.StatusStopped}}})
	h.plane.Send(&acs.TaskStopVerificationAck{MessageID: "new", StopTasks: []acs.ManifestTask{{TaskArn: goes.Arn, DesiredStatus: acs.StatusStopped}}})
	h.plane.WaitReport(goes.Arn, acs.StatusStopped)
	for _, s := range h.plane.Submissions() {
		if s.Task == keeps.Arn && s.Status == acs.StatusStopped {
			t.Error("the task that was listed is stopped")
		}
	}
}

// TestTaskLimits checks the cgroup of a task with its own limits.
func TestTaskLimits(t *testing.T) {
	h := newHost(t)
	h.start()
	instance := h.plane.WaitInstance(1)
	limited := false
	for _, a := range h.plane.Registrations()[0]["attributes"].([]any) {
		limited = limited || a.(map[string]any)["name"] == "ecs.capability.task-cpu-mem-limit"
	}
	task := h.task("eat", "200", "sleep", "30") // more than the task may use, but not more than its container may
	task.Memory, task.CPU, task.Containers[0].Memory = 64, 0.25, 0
	info, err := agenttest.Docker(t).Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The agent does this hours after a task's end.
		id := task.Arn[strings.LastIndexByte(task.Arn, '/')+1:]
		if info.CgroupParents == runtime.CgroupSlice {
			err = cgroup.Slices{Version: info.CgroupVersion}.Remove(id)
		} else {
			err = cgroup.Root{Mount: "/sys/fs/cgroup", Name: "ecs", Version: info.CgroupVersion}.Remove(id)
		}
		if err != nil {
			t.Error(err)
		}
	})
	h.plane.Order(instance, task)
	if !limited { // the server would not send such a task; it runs without limits
		if os.Geteuid() == 0 && info.CgroupParents != "" {
			t.Errorf("root offers no task-level limits here, where a container's cgroup can be given as a %s", info.CgroupParents)
		}
		h.plane.WaitReport(task.Arn, acs.StatusRunning)
		return
	}
	r := h.plane.WaitReport(task.Arn, acs.StatusStopped)
	if c := r.Containers[0]; c.ExitCode == nil || *c.ExitCode != 137 {
		t.Errorf("%+v", r)
	}
}
