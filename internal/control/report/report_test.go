package report

import (
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var created = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func webTask() *fleet.TaskState {
	return &fleet.TaskState{Task: &fleet.Task{
		Cluster: "c", ID: "t", CreatedAt: created, Containers: []fleet.TaskContainer{{Name: "web"}, {Name: "side"}},
	}}
}

func webDefinition(mode types.NetworkMode) *fleet.TaskDefinition {
	return &fleet.TaskDefinition{Definition: &sdk.RegisterTaskDefinitionInput{NetworkMode: mode, ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("web"), Essential: aws.Bool(true), PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(80), Protocol: "tcp"}}},
		{Name: aws.String("side"), Essential: aws.Bool(false)},
	}}}
}

func change(name, status string, opts ...func(*types.ContainerStateChange)) types.ContainerStateChange {
	c := types.ContainerStateChange{ContainerName: aws.String(name), Status: aws.String(status)}
	for _, o := range opts {
		o(&c)
	}
	return c
}

func exit(code int32) func(*types.ContainerStateChange) {
	return func(c *types.ContainerStateChange) { c.ExitCode = aws.Int32(code) }
}
func runtime(id string) func(*types.ContainerStateChange) {
	return func(c *types.ContainerStateChange) { c.RuntimeId = aws.String(id) }
}
func reason(r string) func(*types.ContainerStateChange) {
	return func(c *types.ContainerStateChange) { c.Reason = aws.String(r) }
}

// tell applies statements one after the other, a second apart.
func tell(t *fleet.TaskState, d *fleet.TaskDefinition, all ...Statement) *fleet.TaskReport {
	for i, st := range all {
		if r := Apply(t, d, st, created.Add(time.Duration(i+1)*time.Second)); r != nil {
			t.Report = r
		}
	}
	return t.Report
}

func TestHowTasksEnd(t *testing.T) {
	wish := &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated, Reason: "enough", At: created}
	running := Statement{Status: fleet.TaskRunning, Containers: []types.ContainerStateChange{change("web", "RUNNING", runtime("r"))}}
	end := func(r string, cs ...types.ContainerStateChange) Statement {
		return Statement{Status: fleet.TaskStopped, Reason: r, Containers: cs}
	}
	for _, tt := range []struct {
		name   string
		stop   *fleet.TaskStop
		tell   []Statement
		code   types.TaskStopCode
		reason string
	}{
		{"an essential container exits", nil, []Statement{running, end("", change("web", "STOPPED", exit(1)))}, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited"},
		{"it exits before it was said to run", nil, []Statement{end("", change("web", "RUNNING", runtime("r"), exit(0)), change("web", "STOPPED", exit(0)))}, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited"},
		{"the registry was away, the image was there", nil, []Statement{end("", change("web", "STOPPED", runtime("r"), exit(0), reason("CannotPullImageManifestError: no route")))}, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited"},
		{"the image can't be pulled", nil, []Statement{end("", change("side", "STOPPED", exit(143)), change("web", "STOPPED", reason("CannotPullContainerError: not found")))}, types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError: not found"},
		{"the container can't be started", nil, []Statement{end("", change("web", "STOPPED", runtime("r"), exit(128), reason("CannotStartContainerError: port is already allocated")))}, types.TaskStopCodeTaskFailedToStart, "CannotStartContainerError: port is already allocated"},
		{"one ran, the other's image can't be pulled", nil, []Statement{
			{Status: fleet.TaskPending, Containers: []types.ContainerStateChange{change("web", "RUNNING", runtime("r"))}},
			end("", change("web", "STOPPED", exit(143)), change("db", "STOPPED", reason("CannotPullContainerError: not found"))),
		}, types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError: not found"},
		{"one ran and ended before the other could begin", nil, []Statement{
			end("", change("web", "STOPPED", runtime("r"), exit(1)), change("db", "STOPPED")),
		}, types.TaskStopCodeTaskFailedToStart, "Task failed to start"},
		{"one was killed for its memory before the other could begin", nil, []Statement{
			end("", change("web", "STOPPED", runtime("r"), exit(137), reason("OutOfMemoryError: Container killed due to memory usage")),
				change("db", "STOPPED", reason("TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: t"))),
		}, types.TaskStopCodeTaskFailedToStart, "OutOfMemoryError: Container killed due to memory usage"},
		{"one ran from the image that was there, the other can't start", nil, []Statement{
			end("", change("db", "STOPPED", runtime("d"), reason("CannotStartContainerError: no such file")),
				change("web", "STOPPED", runtime("r"), exit(143), reason("CannotPullImageManifestError: no route"))),
		}, types.TaskStopCodeTaskFailedToStart, "CannotStartContainerError: no such file"},
		{"both ran, briefly", nil, []Statement{
			end("", change("web", "STOPPED", runtime("r"), exit(0)), change("db", "STOPPED", runtime("d"), exit(143)), change("side", "STOPPED", runtime("s"), exit(143))),
		}, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited"},
		{"all ran that must, briefly", nil, []Statement{
			end("", change("web", "STOPPED", runtime("r"), exit(0)), change("db", "STOPPED", runtime("d"), exit(143)), change("side", "STOPPED", reason("CannotPullContainerError: not found"))),
		}, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited"},
		{"the source of the volumes can't be pulled", nil, []Statement{
			end("", change("side", "STOPPED", reason("CannotPullContainerError: not found")),
				change("web", "STOPPED", reason("CannotCreateContainerError: Error response from daemon: No such container: ecs-f-1-side-0102"))),
		}, types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError: not found"},
		{"what it depends on can't be pulled", nil, []Statement{
			end("", change("web", "STOPPED", reason("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [side:SUCCESS] as dependency did not exit successfully.")),
				change("side", "STOPPED", reason("CannotPullContainerError: not found"))),
		}, types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError: not found"},
		{"what it depends on failed", nil, []Statement{
			end("", change("web", "STOPPED", reason("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [side:SUCCESS] as dependency did not exit successfully.")),
				change("side", "STOPPED", runtime("s"), exit(3))),
		}, types.TaskStopCodeTaskFailedToStart, "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [side:SUCCESS] as dependency did not exit successfully."},
		{"the agent refuses it", nil, []Statement{end("UnrecogniedTaskError: Error loading task - bad")}, types.TaskStopCodeTaskFailedToStart, "UnrecogniedTaskError: Error loading task - bad"},
		{"no word why", nil, []Statement{end("")}, types.TaskStopCodeTaskFailedToStart, "Task failed to start"},
		{"out of memory", nil, []Statement{running, end("", change("web", "STOPPED", exit(137), reason("OutOfMemoryError: Container killed due to memory usage")))}, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited"},
		{"a user stops it", wish, []Statement{running, end("", change("web", "STOPPED", exit(137)))}, types.TaskStopCodeUserInitiated, "enough"},
		{"a user stops it before it starts", wish, []Statement{end("TaskStateError: x")}, types.TaskStopCodeUserInitiated, "enough"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			task := webTask()
			task.Stop = tt.stop
			definition := webDefinition("")
			if mentions(tt.tell, "db") {
				task.Containers = append(task.Containers, fleet.TaskContainer{Name: "db"})
				definition.Definition.ContainerDefinitions = append(definition.Definition.ContainerDefinitions, types.ContainerDefinition{Name: aws.String("db"), Essential: aws.Bool(true)})
			}
			r := tell(task, definition, tt.tell...)
			if ran := r.StopCode == types.TaskStopCodeEssentialContainerExited; tt.stop == nil && ran == r.StartedAt.IsZero() {
				t.Errorf("%s, started at %v", r.StopCode, r.StartedAt)
			}
			if r.StopCode != tt.code || r.Reason != tt.reason {
				t.Errorf("%s %q; want %s %q", r.StopCode, r.Reason, tt.code, tt.reason)
			}
			for _, c := range r.Containers {
				if c.Status != fleet.TaskStopped {
					t.Errorf("container %s is %s in a task that has ended", c.Name, c.Status)
				}
			}
			if r.StoppedAt.IsZero() || r.StoppingAt.IsZero() || len(r.Containers) != len(task.Containers) {
				t.Errorf("incomplete: %+v", r)
			}
			if again := Apply(task, webDefinition(""), running, created.Add(time.Hour)); again != nil {
				t.Errorf("a task that has ended changed: %+v", again)
			}
		})
	}
}

func mentions(all []Statement, container string) bool {
	return slices.ContainsFunc(all, func(st Statement) bool {
		return slices.ContainsFunc(st.Containers, func(c types.ContainerStateChange) bool { return *c.ContainerName == container })
	})
}

func TestRepetitionsSayNothingNew(t *testing.T) {
	task, d := webTask(), webDefinition("")
	st := Statement{Status: fleet.TaskRunning, PullStarted: created.Add(time.Millisecond), Containers: []types.ContainerStateChange{
		change("web", "RUNNING", runtime("r"), func(c *types.ContainerStateChange) {
			c.NetworkBindings = []types.NetworkBinding{{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(80), HostPort: aws.Int32(32768), Protocol: "tcp"}}
		}),
	}}
	first := tell(task, d, st)
	if first.Version != 1 || first.StartedAt != created.Add(time.Second) {
		t.Fatalf("first: %+v", first)
	}
	for _, repeated := range []Statement{st, {Status: fleet.TaskPending, Containers: []types.ContainerStateChange{change("web", "PENDING")}}} {
		if r := Apply(task, d, repeated, created.Add(time.Hour)); r != nil {
			t.Errorf("a repetition made %s", cmp.Diff(first, r))
		}
	}
}

func TestHostsClocksAreClamped(t *testing.T) {
	for _, tt := range []struct {
		name             string
		start, stop      time.Time
		started, stopped time.Time
	}{
		{"true", created.Add(100 * time.Millisecond), created.Add(200 * time.Millisecond), created.Add(100 * time.Millisecond), created.Add(200 * time.Millisecond)},
		{"slow clock", created.Add(-time.Hour), created.Add(-time.Minute), created, created},
		{"fast clock", created.Add(time.Hour), created.Add(2 * time.Hour), created.Add(time.Second), created.Add(time.Second)},
		{"backwards", created.Add(500 * time.Millisecond), created.Add(100 * time.Millisecond), created.Add(500 * time.Millisecond), created.Add(500 * time.Millisecond)},
	} {
		r := tell(webTask(), nil, Statement{Status: fleet.TaskPending, PullStarted: tt.start, PullStopped: tt.stop})
		if !r.PullStartedAt.Equal(tt.started) || !r.PullStoppedAt.Equal(tt.stopped) {
			t.Errorf("%s: %v, %v", tt.name, r.PullStartedAt, r.PullStoppedAt)
		}
	}
}

func TestHostNetworkBindingsAreDerived(t *testing.T) {
	r := tell(webTask(), webDefinition(types.NetworkModeHost), Statement{Status: fleet.TaskRunning, Containers: []types.ContainerStateChange{change("web", "RUNNING")}})
	if b := r.Containers[0].NetworkBindings; len(b) != 1 || *b[0].HostPort != 80 || *b[0].BindIP != "0.0.0.0" {
		t.Errorf("bindings %+v", b)
	}
}

func TestForeignContainersArePassedOver(t *testing.T) {
	r := tell(webTask(), nil, Statement{Status: fleet.TaskPending, Containers: []types.ContainerStateChange{change("~internal~ecs~pause", "RUNNING"), change("web", "PENDING")}})
	if len(r.Containers) != 1 || r.Containers[0].Name != "web" {
		t.Errorf("containers %+v", r.Containers)
	}
}

// Whatever a host says, in whatever order: statuses go forward, what was known
// stays known, and the end is final.
func TestReportsOnlyMoveForward(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		task, d := webTask(), webDefinition("")
		names := []string{"web", "side", "other"}
		statuses := []string{"PENDING", "RUNNING", "STOPPED", "CREATED", ""}
		for i := range rapid.IntRange(1, 12).Draw(rt, "statements") {
			st := Statement{Status: rapid.SampledFrom([]fleet.TaskStatus{"", fleet.TaskPending, fleet.TaskPending, fleet.TaskRunning, fleet.TaskRunning, fleet.TaskStopped}).Draw(rt, "status")}
			for range rapid.IntRange(0, 3).Draw(rt, "containers") {
				c := change(rapid.SampledFrom(names).Draw(rt, "name"), rapid.SampledFrom(statuses).Draw(rt, "container"))
				if rapid.Bool().Draw(rt, "exited") {
					c.ExitCode = aws.Int32(rapid.Int32Range(0, 3).Draw(rt, "code"))
				}
				st.Containers = append(st.Containers, c)
			}
			if rapid.Bool().Draw(rt, "timed") {
				st.PullStarted = created.Add(time.Duration(rapid.IntRange(-100, 100).Draw(rt, "at")) * time.Second)
			}
			before := task.Report
			was, containers := task.Status(), map[string]fleet.ContainerReport{}
			if before != nil {
				for _, c := range before.Containers {
					containers[c.Name] = c
				}
			}
			now := created.Add(time.Duration(i+1) * time.Second)
			r := Apply(task, d, st, now)
			if r == nil {
				continue
			}
			if before == r {
				rt.Fatal("the stored report was changed in place")
			}
			task.Report = r
			if was == fleet.TaskStopped || r.Status.Order() < was.Order() {
				rt.Fatalf("%s became %s", was, r.Status)
			}
			if before != nil && r.Version != before.Version+1 {
				rt.Fatalf("version %d after %d", r.Version, before.Version)
			}
			for _, c := range r.Containers {
				old := containers[c.Name]
				if c.Status.Order() < old.Status.Order() || (old.ExitCode != nil && c.ExitCode == nil) || c.Name == "other" {
					rt.Fatalf("container %+v became %+v", old, c)
				}
				delete(containers, c.Name)
			}
			if len(containers) > 0 {
				rt.Fatalf("containers were forgotten: %v", containers)
			}
			if r.PullStartedAt.After(now) || (!r.PullStartedAt.IsZero() && r.PullStartedAt.Before(created)) {
				rt.Fatalf("pull started at %v", r.PullStartedAt)
			}
			if r.Status == fleet.TaskStopped && (r.StopCode == "" || r.Reason == "") {
				rt.Fatal("an end without a reason")
			}
		}
	})
}

// Which images are being pulled is kept as long as that lasts. It is no change of
// what is shown of a task, so it makes no event.
func TestPullsUnderWay(t *testing.T) {
	task, d := webTask(), webDefinition("")
	at := func(seconds int) time.Time { return created.Add(time.Duration(seconds) * time.Second) }
	pulls := func(list ...fleet.ContainerPull) *[]fleet.ContainerPull { return &list }
	pending := func(p *[]fleet.ContainerPull) Statement {
		return Statement{Status: fleet.TaskPending, PullStarted: at(1), Pulls: p}
	}
	for i, c := range []struct {
		say     Statement
		want    []fleet.ContainerPull
		version int64
	}{
		// Hosts' clocks are their own; what the task doesn't have is passed over.
		{pending(pulls(fleet.ContainerPull{Name: "side", Since: at(-100)}, fleet.ContainerPull{Name: "web", Since: at(1000)}, fleet.ContainerPull{Name: "other"}, fleet.ContainerPull{Name: "web"})),
			[]fleet.ContainerPull{{Name: "web", Since: at(10)}, {Name: "side", Since: at(0)}}, 1},
		{pending(nil), []fleet.ContainerPull{{Name: "web", Since: at(10)}, {Name: "side", Since: at(0)}}, 1}, // a call says nothing of them
		{pending(pulls(fleet.ContainerPull{Name: "side", Since: at(30)})), []fleet.ContainerPull{{Name: "side", Since: at(0)}}, 1},
		{Statement{Status: fleet.TaskPending, PullStopped: at(35)}, nil, 2},
		{pending(pulls(fleet.ContainerPull{Name: "side", Since: at(30)})), nil, 2}, // it is late
	} {
		if r := Apply(task, d, c.say, at(10*(i+1))); r != nil {
			task.Report = r
		}
		if diff := cmp.Diff(c.want, task.Report.Pulls); diff != "" || task.Report.Version != c.version {
			t.Errorf("statement %d: version %d, %s", i, task.Report.Version, diff)
		}
	}
	task = webTask()
	tell(task, d, pending(pulls(fleet.ContainerPull{Name: "web", Since: at(1)})), Statement{Status: fleet.TaskRunning})
	if task.Report.Pulls != nil {
		t.Errorf("it runs, and pulls %v", task.Report.Pulls)
	}
}
