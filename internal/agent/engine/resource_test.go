package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/cgroup"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// fakeHost is the host on which the test's resources are. It outlives agents.
type fakeHost struct {
	mu    sync.Mutex
	there map[string]int // resource/task: how many exist
	calls []string       // in order
	// onCall is called after a call has taken effect, and before its answer.
	onCall func(call string) error
}

func newLand() *fakeHost {
	return &fakeHost{there: map[string]int{}, onCall: func(string) error { return nil }}
}

func (l *fakeHost) call(verb, resource, task string, change int) error {
	l.mu.Lock()
	l.there[resource+"/"+task] += change
	call := verb + " " + resource
	l.calls = append(l.calls, call)
	onCall := l.onCall
	l.mu.Unlock()
	return onCall(call)
}

// takeCalls returns the calls since its last call.
func (l *fakeHost) takeCalls() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.calls, ", ")
	l.calls = nil
	return s
}

func (l *fakeHost) left() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := maps.Clone(l.there)
	maps.DeleteFunc(left, func(_ string, n int) bool { return n == 0 })
	return left
}

// countedResource is a resource on a fakeHost. If the agent forgets the first one, a
// second is created; a restore creates none.
type countedResource struct {
	*fakeHost
	name string
}

func (p countedResource) Name() string          { return p.name }
func (countedResource) Needed(t *acs.Task) bool { return len(t.Containers) > 0 }
func (p countedResource) Provide(_ context.Context, t *acs.Task) (string, error) {
	return p.name + " of " + t.Arn, p.call("provide", p.name, t.Arn, 1)
}
func (p countedResource) Restore(_ context.Context, t *acs.Task, value string, complete bool) (string, error) {
	return p.name + " of " + t.Arn, p.call(fmt.Sprintf("restore (%q, %v)", value, complete), p.name, t.Arn, 0)
}
func (p countedResource) Apply(_ *acs.Task, _ *acs.Container, value string, s *runtime.Spec) *engine.Failure {
	s.Env = append(s.Env, value)
	return nil
}
func (p countedResource) Release(_ context.Context, t *acs.Task) error {
	return p.call("release", p.name, t.Arn, -1)
}

func (l *fakeHost) plots() []engine.Resource {
	return []engine.Resource{countedResource{l, "one"}, countedResource{l, "two"}, countedResource{l, "three"}}
}

// waitDurable waits until the journal has written everything so far.
func (r *rig) waitDurable() {
	r.t.Helper()
	if err := r.journal.Put(journal.Meta, "durable", nil).Wait(); err != nil {
		r.t.Error(err)
	}
}

// crash ends a life at this moment and begins the next. The next life finds what is
// durable now. What the old life still does while dying is ignored.
func (r *rig) crash(dying func()) {
	r.t.Helper()
	next := r.path + "+"
	copyFile(r.t, r.path, next)
	r.away.Store(true) // the reports of the dead agent are lost
	dying()
	r.Close()
	if err := r.journal.Close(); err != nil {
		r.t.Error(err)
	}
	r.path = next
	r.away.Store(false)
	r.live()
}

// A task's resources are provided in order before its containers, which get their values.
// They are released in reverse order after the containers.
func TestResourcesAreProvidedAndReleasedInOrder(t *testing.T) {
	l := newLand()
	var env []string
	program := func(s runtime.Spec) fake.Program {
		env = s.Env
		return fake.ParseProgram(s.Command)
	}
	journaled(t, engine.Config{Resources: l.plots()}, fake.Config{Program: program}, func(r *rig) {
		r.accept(run("t", box("a", true, "sleep 60")))
		time.Sleep(time.Hour)
		r.expect("t", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n")
		if got := l.takeCalls(); got != "provide one, provide two, provide three" {
			t.Error(got)
		}
		for _, want := range []string{"one of t", "two of t", "three of t"} {
			if !slices.Contains(env, want) {
				t.Errorf("%q is not told: %q", want, env)
			}
		}
		time.Sleep(3 * time.Hour)
		if got := l.takeCalls(); got != "release three, release two, release one" {
			t.Error(got)
		}
	})
}

// A resource that can't be provided ends the task, and the resources before it are
// released.
func TestAResourceThatCannotBeProvided(t *testing.T) {
	l := newLand()
	l.onCall = func(call string) error {
		if call == "provide two" {
			return errors.New("no room")
		}
		return nil
	}
	journaled(t, engine.Config{Resources: l.plots()}, fake.Config{}, func(r *rig) {
		r.accept(run("t", box("a", true, "sleep 60")))
		time.Sleep(4 * time.Hour)
		r.expect("t", "STOPPED (resource cannot be initialized for task t: no room) a=STOPPED\n")
		if got := l.takeCalls(); got != "provide one, provide two, release three, release two, release one" {
			t.Error(got)
		}
		r.startedOnce(0)
	})
}

// If a task is stopped while its resources are being provided, it ends when they exist.
// Then they are released, and other tasks get its share of the host.
func TestAStopWhileResourcesAreProvided(t *testing.T) {
	l := newLand()
	l.onCall = func(call string) error {
		if call == "provide two" {
			time.Sleep(time.Minute)
		}
		return nil
	}
	journaled(t, engine.Config{Resources: l.plots(), Total: engine.Resources{CPU: 100, Memory: 4096}}, fake.Config{}, func(r *rig) {
		all := func(arn, status string) acs.Task {
			task := run(arn, box("a", true, "sleep 60"))
			task.Containers[0].CPU, task.DesiredStatus = 100, status
			return task
		}
		r.accept(all("t", "RUNNING"))
		time.Sleep(time.Second)
		r.accept(all("t", "STOPPED"))
		time.Sleep(time.Second)
		r.expect("t", "")
		time.Sleep(time.Hour)
		r.expect("t", "STOPPED a=STOPPED ["+stoppedBeforePull+"t]\n")
		time.Sleep(3 * time.Hour)
		if left := l.left(); len(left) > 0 || r.HasTask("t") {
			t.Errorf("left: %v; is it known: %v", left, r.HasTask("t"))
		}
		r.accept(all("next", "RUNNING"))
		time.Sleep(time.Hour)
		r.expect("next", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n")
		r.accept(all("t", "RUNNING")) // a late order
		time.Sleep(time.Hour)
		r.startedOnce(1)
	})
}

const stoppedBeforePull = "TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: "

// If an agent dies between two resources, it provides the missing ones after its restart
// and restores the others. No resource exists twice. A resource that was provided and not
// journaled is provided again, so Provide must find the first one. If Provided is not
// journaled, all are provided again (seen). If the first of them sets Provisioned, the
// missing ones are never provided (seen).
func TestACrashBetweenResources(t *testing.T) {
	all := []string{"one", "two", "three"}
	for n := range len(all) {
		l := newLand()
		journaled(t, engine.Config{Resources: l.plots()}, fake.Config{}, func(r *rig) {
			reached, forever := make(chan struct{}), make(chan struct{})
			l.onCall = func(call string) error {
				if call == "provide "+all[n] {
					close(reached)
					<-forever
					return errors.New("nobody hears this")
				}
				return nil
			}
			r.accept(run("t", box("a", true, "sleep 60")))
			<-reached
			r.waitDurable() // the ones before this
			l.mu.Lock()
			l.onCall = func(string) error { return nil }
			l.there[all[n]+"/t"] = 0 // the next call finds it
			l.calls = nil
			l.mu.Unlock()
			r.crash(func() { close(forever) })
			time.Sleep(time.Second)
			var want []string
			for i, name := range all {
				if i < n {
					want = append(want, fmt.Sprintf(`restore ("%s of t", false) %s`, name, name))
				} else {
					want = append(want, "provide "+name)
				}
			}
			if got := l.takeCalls(); got != strings.Join(want, ", ") {
				t.Errorf("died at %s: %s", all[n], got)
			}
			for _, name := range all {
				if l.left()[name+"/t"] != 1 {
					t.Errorf("died at %s: %v", all[n], l.left())
				}
			}
			r.startedOnce(1)
			time.Sleep(5 * time.Hour)
			r.expect("t", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n")
			if left := l.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A release that fails is repeated until it succeeds, also after a restart of the agent.
// Resources that were released are not released again. If Released is not journaled, they
// are (seen).
func TestReleaseIsRepeatedUntilItSucceeds(t *testing.T) {
	l := newLand()
	journaled(t, engine.Config{Resources: l.plots()}, fake.Config{}, func(r *rig) {
		r.accept(run("t", box("a", true, "sleep 60")))
		time.Sleep(time.Hour)
		l.takeCalls()
		busy := errors.New("device or resource busy")
		l.onCall = func(call string) error {
			if call == "release two" {
				l.mu.Lock()
				l.there["two/t"]++ // it still exists
				l.mu.Unlock()
				return busy
			}
			return nil
		}
		time.Sleep(2*time.Hour + 150*time.Second)
		if got := l.takeCalls(); got != "release three, release two, release two" {
			t.Error(got)
		}
		r.crash(func() {})
		time.Sleep(150 * time.Second)
		if got := l.takeCalls(); got != "release two, release two, release two" {
			t.Error(got)
		}
		l.mu.Lock()
		l.onCall = func(string) error { return nil }
		l.mu.Unlock()
		time.Sleep(time.Hour)
		if got := l.takeCalls(); got != "release two, release one" {
			t.Error(got)
		}
		if left := l.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if r.HasTask("t") {
			t.Error("the task is still known")
		}
		r.crash(func() {}) // its record is removed
		time.Sleep(time.Hour)
		if got := l.takeCalls(); got != "" {
			t.Error(got)
		}
	})
}

// records reads a task's records from a journal that is not open, by ARN.
func records(t *testing.T, path string, change func(arn string, record map[string]any) bool) map[string]map[string]any {
	t.Helper()
	j, err := journal.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	err = j.Each(journal.Tasks, func(arn string, v []byte) error {
		var r map[string]any
		out[arn] = r
		if err := json.Unmarshal(v, &r); err != nil {
			return err
		}
		out[arn] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for arn, r := range out {
		if !change(arn, r) {
			continue
		}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Put(journal.Tasks, arn, data).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// The journal of the previous version is read. It has one bit for all resources. They are
// restored, not provided, and released in the end. The new version still writes that bit,
// and changes nothing else that the previous version reads: see Task.
func TestTheJournalOfTheVersionBefore(t *testing.T) {
	l := newLand()
	journaled(t, engine.Config{Resources: l.plots()}, fake.Config{}, func(r *rig) {
		r.accept(run("t", box("a", true, "sleep 7200")))
		time.Sleep(time.Second)
		l.takeCalls()
		r.waitDurable()
		for life := range 2 { // the second life reads what the first one wrote
			r.die()
			records(t, r.path, func(_ string, record map[string]any) bool {
				if has, _ := record["resources"].(map[string]any); record["provisioned"] != true || len(has) != 3 {
					t.Errorf("life %d: %v", life, record)
				}
				delete(record, "resources")
				return true
			})
			r.live()
			time.Sleep(time.Second)
			if got := l.takeCalls(); got != `restore ("", true) one, restore ("", true) two, restore ("", true) three` {
				t.Errorf("life %d: %s", life, got)
			}
		}
		time.Sleep(6 * time.Hour)
		r.expect("t", "RUNNING a=RUNNING\nSTOPPED a=STOPPED/0\n")
		r.startedOnce(1)
		if left := l.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// The previous version reads the new records. It provides all resources unless Provisioned
// is true, and releases all of them.
func TestTheVersionBeforeIsToldWhatIsThere(t *testing.T) {
	l := newLand()
	journaled(t, engine.Config{Resources: l.plots()}, fake.Config{}, func(r *rig) {
		stop := make(chan struct{})
		provisioned := func() (bool, int) {
			r.waitDurable()
			data, err := r.journal.Get(journal.Tasks, "t")
			if err != nil {
				t.Fatal(err)
			}
			var record struct {
				Provisioned bool
				Resources   map[string]engine.ResourceRecord
			}
			if err := json.Unmarshal(data, &record); err != nil {
				t.Fatal(err)
			}
			return record.Provisioned, len(record.Resources)
		}
		l.onCall = func(call string) error {
			if call == "provide three" {
				<-stop
			}
			return nil
		}
		r.accept(run("t", box("a", true, "sleep 60")))
		synctest.Wait()
		if all, n := provisioned(); all || n != 2 {
			t.Errorf("with two of three: %v, %d", all, n)
		}
		close(stop)
		time.Sleep(time.Second)
		if all, n := provisioned(); !all || n != 3 {
			t.Errorf("with all: %v, %d", all, n)
		}
	})
}

// parents are cgroups that are counted.
type parents struct {
	mu   sync.Mutex
	made map[string]int
}

func (p *parents) Create(task string, _ cgroup.Limits) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[task]++
	return "/ecs/" + task, nil
}

func (p *parents) Remove(task string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, task)
	return nil
}

// A task's volumes and cgroup are restored for containers that a later run of the agent
// creates. A missing volume is created again with its options, not by the engine without
// them. The cgroup is the containers' parent.
func TestVolumesAndLimitsAreRestored(t *testing.T) {
	p := &parents{made: map[string]int{}}
	var specs []runtime.Spec
	program := func(s runtime.Spec) fake.Program {
		specs = append(specs, s)
		return fake.ParseProgram(s.Command)
	}
	journaled(t, engine.Config{Cgroups: p}, fake.Config{Program: program}, func(r *rig) {
		task := run("t", box("late", true, "sleep 3600", after("early", acs.ConditionSuccess)), box("early", false, "sleep 60"))
		task.Memory = 64
		task.Volumes = []acs.Volume{{Name: "v", Type: acs.VolumeDocker, Docker: &acs.DockerVolume{DriverOpts: map[string]string{"type": "nfs"}}}, {Name: "path", Type: acs.VolumeHost, Host: &acs.HostVolume{SourcePath: "/srv"}}}
		task.Containers[0].MountPoints = []acs.MountPoint{{SourceVolume: "v", ContainerPath: "/v"}, {SourceVolume: "path", ContainerPath: "/path"}}
		r.accept(task)
		time.Sleep(time.Second)
		r.waitDurable()
		r.crash(func() {})
		volumes := r.fake.Volumes()
		if len(volumes) != 1 || volumes[0].Options["type"] != "nfs" || volumes[0].Labels[engine.LabelTask] != "t" {
			t.Fatalf("%+v", volumes)
		}
		r.waitDurable()
		r.die()
		if err := r.fake.RemoveVolume(r.t.Context(), volumes[0].Name); err != nil { // by hand, while nothing uses it
			t.Fatal(err)
		}
		r.live()
		time.Sleep(2 * time.Minute)
		if again := r.fake.Volumes(); len(again) != 1 || again[0].Name != volumes[0].Name || again[0].Options["type"] != "nfs" {
			t.Errorf("%+v", again)
		}
		if len(specs) != 2 || specs[0].CgroupParent != "/ecs/t" || specs[1].CgroupParent != "/ecs/t" || len(specs[1].Mounts) != 2 {
			t.Errorf("%+v", specs)
		}
		time.Sleep(5 * time.Hour)
		if v := r.fake.Volumes(); len(v) > 0 || len(p.made) > 0 {
			t.Errorf("left: %v %v", v, p.made)
		}
	})
}

// A resource that a newer version provided stays in the task's record.
func TestAResourceOfANewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	rigged(t, path, engine.Config{}, fake.Config{}, func(r *rig) {
		r.accept(run("t", box("a", true, "sleep 600")))
		time.Sleep(time.Second)
		r.waitDurable()
		r.die()
		records(t, path, func(_ string, record map[string]any) bool {
			record["resources"] = map[string]any{"network": map[string]any{"status": "provided", "value": "10.0.0.7"}}
			return true
		})
		r.live()
		time.Sleep(time.Minute)
		r.waitDurable()
		r.die()
		has := records(t, path, func(string, map[string]any) bool { return false })["t"]["resources"]
		if got := fmt.Sprint(has); got != "map[network:map[status:provided value:10.0.0.7]]" {
			t.Error(got)
		}
		r.live()
	})
}
