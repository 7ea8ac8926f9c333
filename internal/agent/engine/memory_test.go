package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

func TestOutOfMemory(t *testing.T) {
	live(t, map[string]taskLife{
		"a child is out of memory, and with it the container": {
			run("t", box("a", true, "sleep 5 feed 200 exit 1")), time.Minute, false, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/1 [OutOfMemoryError: Container killed due to memory usage]
			`,
		},
		"a child was out of memory, and the container ended much later": {
			run("t", box("a", true, "sleep 5 feed 200 sleep 30 exit 1")), time.Minute, false, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/1
			`,
		},
		"a child was out of memory, and the task was stopped": {
			run("t", box("a", true, "feed 200 sleep 600")), 5 * time.Second, true, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/143
			`,
		},
		"a child was out of memory, and the task had to be killed": {
			run("t", box("a", true, "deaf sleep 5 feed 200 sleep 600", func(c *acs.Container) { c.StopTimeout = 2 })), 6 * time.Second, true, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/137
			`,
		},
		"out of memory while it stops": {
			run("t", box("a", true, "deaf sleep 10 oom")), 5 * time.Second, true, `
			RUNNING a=RUNNING
			STOPPED a=STOPPED/137 [OutOfMemoryError: Container killed due to memory usage]
			`,
		},
	})
}

// The event that a process was killed for lack of memory may get lost. Then the engine's
// data about the ended container decides, as far as possible.
func TestOutOfMemoryWithoutTheEvent(t *testing.T) {
	for command, want := range map[string]string{
		"feed 200 sleep 5 exit 1":   "STOPPED/1 [OutOfMemoryError: Container killed due to memory usage]",
		"feed 200 sleep 5 exit 137": "STOPPED/137 [OutOfMemoryError: Container killed due to memory usage]",
		"feed 200 sleep 5 exit 143": "STOPPED/143",
		"feed 200 sleep 5 exit 0":   "STOPPED/0",
	} {
		inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
			r.fake.Set(func(c *fake.Config) { c.StartDelay = time.Second })
			r.accept(run("t", box("a", true, command)))
			time.Sleep(time.Second / 2)
			r.fake.Set(func(c *fake.Config) {
				c.Fail = func(op, _ string) error {
					if op == "events" {
						return fmt.Errorf("down")
					}
					return nil
				}
			})
			r.fake.CutEvents()
			time.Sleep(20 * time.Second)
			r.fake.Set(func(c *fake.Config) { c.Fail = nil })
			time.Sleep(20 * time.Second)
			r.expect("t", "RUNNING a=RUNNING\nSTOPPED a="+want+"\n")
		})
	}
}
