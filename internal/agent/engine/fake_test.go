package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

func run(arn string, cs ...acs.Container) acs.Task {
	return acs.Task{Arn: arn, DesiredStatus: acs.StatusRunning, Family: "f", Version: "1", Containers: cs}
}

func box(name string, essential bool, command string, opts ...func(*acs.Container)) acs.Container {
	c := acs.Container{Name: name, Image: "img", Essential: essential, Command: strings.Fields(command)}
	for _, o := range opts {
		o(&c)
	}
	return c
}

func after(name, condition string) func(*acs.Container) {
	return func(c *acs.Container) {
		c.DependsOn = append(c.DependsOn, acs.Dependency{ContainerName: name, Condition: condition})
	}
}

func image(ref string) func(*acs.Container) { return func(c *acs.Container) { c.Image = ref } }

func checked(c *acs.Container) {
	c.HealthCheckType = acs.HealthCheckDocker
	c.DockerConfig = &acs.DockerConfig{Config: `{"Healthcheck":{"Test":["CMD","/probe","alive"]}}`}
}

func port(container, host int) func(*acs.Container) {
	return func(c *acs.Container) {
		c.PortMappings = append(c.PortMappings, acs.PortMapping{ContainerPort: container, HostPort: host})
	}
}

func stopOf(arn string) acs.Task { return acs.Task{Arn: arn, DesiredStatus: acs.StatusStopped} }

// taskLife is a task, whether it is stopped after a wait, and the expected reports.
type taskLife struct {
	task acs.Task
	wait time.Duration
	stop bool
	want string
}

func TestLifeOfTasks(t *testing.T) {
	live(t, map[string]taskLife{
		"a task that ends by itself": {
			run("t", box("a", true, "sleep 5 exit 3")), time.Minute, false, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/3
			`,
		},
		"an essential container takes the others with it": {
			run("t", box("a", true, "sleep 5"), box("b", true, "sleep 600"), box("c", false, "deaf sleep 600")), time.Minute, false, `
			RUNNING a=RUNNING b=RUNNING c=RUNNING
			RUNNING a=STOPPED/0 b=STOPPED/143
			STOPPED a=STOPPED/0 b=STOPPED/143 c=STOPPED/137
			`,
		},
		"one that is not essential ends alone": {
			run("t", box("a", true, "sleep 600"), box("b", false, "sleep 5")), time.Minute, false, `
			RUNNING a=RUNNING b=RUNNING
			RUNNING b=STOPPED/0
			`,
		},
		"without essential ones the last one ends the task": {
			run("t", box("a", false, "sleep 5"), box("b", false, "sleep 50")), 2 * time.Minute, false, `
			RUNNING a=RUNNING b=RUNNING
			RUNNING a=STOPPED/0
			STOPPED a=STOPPED/0 b=STOPPED/0
			`,
		},
		"told to stop": {
			run("t", box("a", true, "sleep 600")), time.Minute, true, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/143
			`,
		},
		"deaf to the signal": {
			run("t", box("a", true, "deaf", func(c *acs.Container) { c.StopTimeout = 2 })), time.Minute, true, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/137
			`,
		},
		"out of memory": {
			run("t", box("a", true, "sleep 5 oom")), time.Minute, false, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/137 [OutOfMemoryError: Container killed due to memory usage]
			`,
		},
		"after a success": {
			run("t", box("init", false, "sleep 10"), box("a", true, "sleep 600", after("init", "SUCCESS"))), time.Minute, false, `
			PENDING init=RUNNING a=PENDING
			RUNNING init=STOPPED/0 a=RUNNING
			`,
		},
		"after a failure there is no success": {
			run("t", box("init", false, "sleep 10 exit 2"), box("a", true, "sleep 600", after("init", "SUCCESS"))), time.Minute, false, `
			PENDING init=RUNNING a=PENDING
			STOPPED init=STOPPED/2 a=STOPPED [CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init:SUCCESS] as dependency did not exit successfully.]
			`,
		},
		"after completion, whatever the code": {
			run("t", box("init", false, "sleep 10 exit 2"), box("a", true, "sleep 600", after("init", "COMPLETE"))), time.Minute, false, `
			PENDING init=RUNNING a=PENDING
			RUNNING init=STOPPED/2 a=RUNNING
			`,
		},
		"after one that never began": {
			run("t", box("init", false, "", image("absent")), box("a", true, "sleep 600", after("init", "COMPLETE"))), time.Minute, false, `
			STOPPED init=STOPPED [CannotPullContainerError: manifest for absent not found: manifest unknown] a=STOPPED [CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init:COMPLETE] as dependency will never start.]
			`,
		},
		"beside one that never began": {
			run("t", box("side", false, "", image("absent")), box("a", true, "sleep 600", after("side", "START"))), time.Minute, false, `
			STOPPED side=STOPPED [CannotPullContainerError: manifest for absent not found: manifest unknown] a=STOPPED [CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [side:START] as dependency will never start.]
			`,
		},
		"beside one that has ended already": {
			run("t", box("side", false, "sleep 1 exit 4"), box("slow", false, "sleep 5"), box("a", true, "sleep 600", after("side", "START"), after("slow", "COMPLETE"))), time.Minute, false, `
			PENDING side=STOPPED/4 slow=RUNNING a=PENDING
			RUNNING slow=STOPPED/0 a=RUNNING
			`,
		},
		"with the volumes of one that was never created": {
			run("t", box("data", false, "", image("absent")), box("a", true, "sleep 600", func(c *acs.Container) {
				c.VolumesFrom = []acs.VolumeFrom{{SourceContainer: "data"}}
			})), time.Minute, false, `
			STOPPED data=STOPPED [CannotPullContainerError: manifest for absent not found: manifest unknown] a=STOPPED [CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [data:CREATE] as dependency will never start.]
			`,
		},
		"with the volumes of one that has ended": {
			run("t", box("data", false, "exit 1"), box("a", true, "sleep 600", after("data", "COMPLETE"), func(c *acs.Container) {
				c.VolumesFrom = []acs.VolumeFrom{{SourceContainer: "data"}}
			})), time.Minute, false, `
			RUNNING data=STOPPED/1 a=RUNNING
			`,
		},
		"linked to one that was never created": {
			run("t", box("db", false, "", image("absent")), box("a", true, "sleep 600", func(c *acs.Container) { c.Links = []string{"db:database"} })), time.Minute, false, `
			STOPPED db=STOPPED [CannotPullContainerError: manifest for absent not found: manifest unknown] a=STOPPED [CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [db:START] as dependency will never start.]
			`,
		},
		"after health": {
			run("t", box("db", true, "healthy 20", checked), box("a", true, "sleep 600", after("db", "HEALTHY"))), time.Minute, false, `
			PENDING db=RUNNING a=PENDING
			RUNNING a=RUNNING
			`,
		},
		"health that does not come in time": {
			run("t", box("db", true, "unhealthy 5", checked, func(c *acs.Container) { c.StartTimeout = 30 }),
				box("a", true, "sleep 600", after("db", "HEALTHY"))), time.Minute, false, `
			PENDING db=RUNNING a=PENDING
			STOPPED db=STOPPED/143 a=STOPPED [CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [db:HEALTHY] as dependency has timed out.]
			`,
		},
		"a circle": {
			run("t", box("a", true, "", after("b", "START")), box("b", true, "", after("a", "START"))), 0, false, `
			STOPPED (Task dependencies cannot be resolved, taskArn: t)
			`,
		},
		"health of one without a check": {
			run("t", box("a", true, ""), box("b", true, "", after("a", "HEALTHY"))), 0, false, `
			STOPPED (Task dependencies cannot be resolved, taskArn: t)
			`,
		},
		"an image that is nowhere": {
			run("t", box("a", true, "", func(c *acs.Container) { c.Image = "absent" })), time.Minute, false, `
			STOPPED a=STOPPED [CannotPullContainerError: manifest for absent not found: manifest unknown]
			`,
		},
		"an image that can't be named so": {
			run("t", box("a", true, "", func(c *acs.Container) { c.Image = "MyApp:1" })), time.Second, false, `
			STOPPED a=STOPPED [CannotPullContainerError: invalid reference format: repository name (library/MyApp) must be lowercase]
			`,
		},
		"a volume that is nowhere": {
			run("t", box("a", true, "", func(c *acs.Container) { c.MountPoints = []acs.MountPoint{{SourceVolume: "nope"}} })), time.Minute, false, `
			STOPPED a=STOPPED [HostConfigError: Invalid volume referenced: nope]
			`,
		},
		"a reserved port": {
			run("t", box("a", true, "", port(80, 22))), 0, false, `
			STOPPED (resource cannot be initialized for task t: host port 22/tcp is reserved on the container instance)
			`,
		},
		"a network mode that is not offered": {
			acs.Task{Arn: "t", DesiredStatus: acs.StatusRunning, NetworkMode: "awsvpc", Containers: []acs.Container{box("a", true, "")}}, 0, false, `
			STOPPED (resource cannot be initialized for task t: network mode awsvpc is not supported on this container instance; bridge, host and none are)
			`,
		},
		"an order to stop what is not known": {
			stopOf("t"), 0, false, `
			STOPPED (TaskStateError: Agent could not progress task's state to stopped)
			`,
		},
	})
}

func live(t *testing.T, all map[string]taskLife) {
	t.Helper()
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			inBubble(t, engine.Config{}, fake.Config{
				Images: map[string]runtime.Image{"img": {}}, CreateDelay: 40 * time.Millisecond, StartDelay: 60 * time.Millisecond,
			}, func(r *rig) {
				r.accept(c.task)
				time.Sleep(c.wait)
				if c.stop {
					r.accept(stopOf("t"))
					time.Sleep(time.Minute)
				}
				r.expect("t", c.want)
				for name, n := range r.fake.Starts() {
					if n > 1 {
						t.Errorf("%s started %d times", name, n)
					}
				}
			})
		})
	}
}

func TestDependentsStopFirst(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{StopDelay: 5 * time.Second}, func(r *rig) {
		r.accept(run("t", box("db", true, "sleep 600"), box("app", true, "sleep 600", after("db", "START"))))
		time.Sleep(time.Second)
		r.accept(stopOf("t"))
		time.Sleep(7 * time.Second) // the first has stopped, the second is being stopped
		var down []string
		for _, v := range r.Tasks() {
			for _, c := range v.Containers {
				if c.Status == acs.StatusStopped {
					down = append(down, c.Name)
				}
			}
		}
		if !slices.Equal(down, []string{"app"}) {
			t.Errorf("down after 7 s: %v", down)
		}
		time.Sleep(10 * time.Second)
		r.expect("t", "RUNNING db=RUNNING app=RUNNING\nRUNNING app=STOPPED/143\nSTOPPED db=STOPPED/143 app=STOPPED/143\n")
	})
}

func TestATaskThatDoesNotFitBlocksNobody(t *testing.T) {
	big := func(arn string) acs.Task {
		return run(arn, box("a", true, "sleep 600", func(c *acs.Container) { c.Memory = 3000 }))
	}
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		r.accept(big("first"), big("second"), run("small", box("a", true, "sleep 600")),
			run("p1", box("a", true, "sleep 600", port(80, 8080))), run("p2", box("a", true, "sleep 600", port(80, 8080))))
		time.Sleep(time.Second)
		r.expect("first", "RUNNING a=RUNNING\n")
		r.expect("second", "")
		r.expect("small", "RUNNING a=RUNNING\n")
		r.expect("p1", "RUNNING a=RUNNING\n")
		r.expect("p2", "")
		r.accept(stopOf("first"), stopOf("p1"))
		time.Sleep(time.Second)
		r.expect("second", "RUNNING a=RUNNING\n")
		r.expect("p2", "RUNNING a=RUNNING\n")
		r.accept(big("third"), stopOf("third"), big("fourth"))
		r.accept(stopOf("second"))
		time.Sleep(time.Second)
		r.expect("fourth", "RUNNING a=RUNNING\n")
	})
}

func TestDynamicPortIsChosenAnewWhenItIsTaken(t *testing.T) {
	inBubble(t, engine.Config{PortLow: 40000, PortHigh: 40002}, fake.Config{}, func(r *rig) {
		// Another process of the host uses two of the three ports.
		for _, p := range []int{40000, 40001} {
			c, err := r.fake.Create(r.t.Context(), runtime.Spec{Name: fmt.Sprint("other", p), Image: "x", Ports: []runtime.Port{{ContainerPort: 1, HostPort: p, Protocol: "tcp"}}})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.fake.Start(r.t.Context(), c.ID); err != nil {
				t.Fatal(err)
			}
		}
		r.accept(run("t", box("a", true, "sleep 600", port(80, 0))))
		time.Sleep(time.Minute)
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.reports) == 0 {
			t.Fatal("no report")
		}
		rep := r.reports[0]
		if rep.Status != acs.StatusRunning || rep.Containers[0].Ports[0].HostPort != 40002 {
			// Ten random tries may all hit a used port. Then the reason says so.
			if !strings.Contains(rep.Containers[0].Reason, "port is already allocated") {
				t.Errorf("%+v", rep)
			}
		}
	})
}

func TestRestartPolicy(t *testing.T) {
	policy := func(c *acs.Container) {
		c.RestartPolicy = &acs.RestartPolicy{Enabled: true, IgnoredExitCodes: []int{0}, RestartAttemptPeriod: 60}
	}
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		r.accept(run("t", box("a", true, "sleep 90 exit 1", policy)), run("quick", box("a", true, "sleep 30 exit 1", policy)), run("zero", box("a", true, "sleep 90 exit 0", policy)))
		time.Sleep(5 * time.Minute)
		r.expect("t", "RUNNING a=RUNNING\n")
		r.expect("quick", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/1\n")
		r.expect("zero", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n")
		for _, v := range r.Tasks() {
			if v.Arn == "t" && v.Containers[0].Restarts != 3 {
				t.Errorf("%d restarts in 5 minutes of 90 s", v.Containers[0].Restarts)
			}
		}
	})
}

func TestStoppedStaysStopped(t *testing.T) {
	inBubble(t, engine.Config{CleanupWait: time.Hour}, fake.Config{}, func(r *rig) {
		task := run("t", box("a", true, "sleep 5"))
		r.accept(task)
		time.Sleep(time.Minute)
		ended := "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n"
		r.expect("t", ended)
		r.accept(task) // the server asks again and gets the report again
		r.expect("t", ended+"STOPPED a=STOPPED/0\n")
		time.Sleep(2 * time.Hour)
		if list, err := r.fake.List(r.t.Context(), nil); err != nil || len(list) != 0 {
			t.Errorf("not cleaned up: %v %v", list, err)
		}
		r.accept(task)
		if got := r.story("t"); !strings.HasSuffix(got, "is not started again)\n") {
			t.Error(got)
		}
		// A stop that arrives before the start wins.
		r.accept(stopOf("u"), run("u", box("a", true, "sleep 5")))
		time.Sleep(time.Minute)
		if got := r.story("u"); strings.Contains(got, "RUNNING") {
			t.Error(got)
		}
		for name, n := range r.fake.Starts() {
			if n > 1 {
				t.Errorf("%s started %d times", name, n)
			}
		}
	})
}

func TestLostEventsAreMadeUpByInspection(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		r.accept(run("t", box("a", true, "sleep 600")))
		time.Sleep(time.Second)
		r.fake.Set(func(c *fake.Config) {
			c.Fail = func(op, _ string) error {
				if op == "events" {
					return fmt.Errorf("down")
				}
				return nil
			}
		})
		r.fake.CutEvents()
		time.Sleep(time.Second)
		list, err := r.fake.List(r.t.Context(), nil)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		r.fake.Exit(list[0].ID, 9)
		time.Sleep(10 * time.Second)
		r.expect("t", "RUNNING a=RUNNING\n")
		r.fake.Set(func(c *fake.Config) { c.Fail = nil })
		time.Sleep(10 * time.Second)
		r.expect("t", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/9\n")
	})
}
