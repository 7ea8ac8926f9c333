package engine_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// After the journal is lost, what has run does not run again, in whatever order the engine
// lists a task's containers. What runs goes on, and the task knows how each container
// ended.
func TestNothingStartsAgainWhenTheJournalIsLost(t *testing.T) {
	ever := "sleep 100000"
	policy := func(c *acs.Container) { c.RestartPolicy = &acs.RestartPolicy{Enabled: true} }
	tasks := map[string]struct {
		task acs.Task
		now  string // its status in the second life
		last string // the last report
	}{
		"beside":       {run("beside", box("migrate", false, "exit 0"), box("main", true, ever)), acs.StatusRunning, "RUNNING migrate=STOPPED/0 main=RUNNING"},
		"before":       {run("before", box("main", true, ever, after("migrate", "SUCCESS")), box("migrate", false, "exit 0")), acs.StatusRunning, "RUNNING main=RUNNING migrate=STOPPED/0"},
		"several":      {run("several", box("a", false, "exit 1"), box("b", false, "exit 2"), box("main", true, ever), box("c", false, "exit 3")), acs.StatusRunning, "RUNNING a=STOPPED/1 b=STOPPED/2 main=RUNNING c=STOPPED/3"},
		"ended":        {run("ended", box("migrate", false, "exit 0"), box("main", true, "sleep 5 exit 4")), acs.StatusStopped, "STOPPED migrate=STOPPED/0 main=STOPPED/4"},
		"ended, again": {run("ended, again", box("main", true, "sleep 5 exit 4"), box("again", false, ever, policy)), acs.StatusStopped, "STOPPED main=STOPPED/4 again=STOPPED/143"},
	}
	for range 10 { // the engine lists them in any order
		journaled(t, engine.Config{}, fake.Config{}, func(r *rig) {
			for _, task := range tasks {
				r.accept(task.task)
			}
			time.Sleep(time.Minute)
			before := r.fake.Starts()
			running := r.running()
			r.die()
			if err := os.Remove(r.path); err != nil {
				t.Fatal(err)
			}
			r.clearReports()
			r.live()
			time.Sleep(time.Hour)
			for name, n := range r.fake.Starts() {
				if n != before[name] {
					t.Errorf("%s started %d times, %d of them before", name, n, before[name])
				}
			}
			if got := r.running(); strings.Join(got, " ") != strings.Join(running, " ") {
				t.Errorf("run: %v, before: %v", got, running)
			}
			for arn, task := range tasks {
				v, ok := r.Task(arn)
				if !ok || v.Status != task.now {
					t.Errorf("%s: %+v", arn, v)
				}
				story := strings.Split(strings.TrimSpace(r.story(arn)), "\n")
				if last := story[len(story)-1]; last != task.last {
					t.Errorf("%s: %q", arn, last)
				}
			}
		})
	}
}

// The instance is found by its containers, even if none of them runs.
func TestTheInstanceIsFoundByWhatHasEnded(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		find := func() string {
			arn, _, err := r.FindInstance(r.t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return arn
		}
		if arn := find(); arn != "" {
			t.Errorf("%q without containers", arn)
		}
		r.accept(run("t", box("a", true, "exit 0")))
		time.Sleep(time.Minute)
		if arn := find(); arn != "instance" {
			t.Errorf("%q by a container that has ended", arn)
		}
	})
}
