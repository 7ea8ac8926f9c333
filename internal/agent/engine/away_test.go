package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// unreachableUntil returns a Fail that makes an engine answer nothing until a time,
// except for its events.
func unreachableUntil(until time.Time) func(op, subject string) error {
	return func(op, _ string) error {
		if op != "events" && time.Now().Before(until) {
			return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("Cannot connect to the Docker daemon")} //nolint:staticcheck // an engine's words
		}
		return nil
	}
}

// A restart of the engine takes seconds. Tasks that are ordered meanwhile wait and do not
// fail.
func TestAnEngineThatIsAwayFailsNoTask(t *testing.T) {
	for name, behaviour := range map[string]engine.PullBehavior{"default": engine.PullDefault, "always": engine.PullAlways, "prefer-cached": engine.PullPreferCached} {
		t.Run(name, func(t *testing.T) {
			registry := map[string]runtime.Image{"img": {Digest: "sha256:new"}}
			inBubble(t, engine.Config{PullBehavior: behaviour}, fake.Config{Images: map[string]runtime.Image{}, Registry: registry}, func(r *rig) {
				back := time.Now().Add(time.Minute)
				r.fake.Set(func(c *fake.Config) { c.Fail = unreachableUntil(back) })
				withVolume := run("v", box("a", true, "sleep 600"))
				withVolume.Volumes = []acs.Volume{{Name: "data", Type: "docker", Docker: &acs.DockerVolume{Scope: "task"}}}
				r.accept(run("t", box("a", true, "sleep 600")), withVolume)
				time.Sleep(time.Until(back) - time.Second)
				r.expect("t", "")
				time.Sleep(10 * time.Second)
				for _, task := range []string{"t", "v"} {
					if got := r.story(task); !strings.HasSuffix(got, "RUNNING a=RUNNING\n") || strings.Contains(got, "STOPPED") {
						t.Errorf("%s: %q", task, got)
					}
				}
				for name, n := range r.fake.Starts() {
					if n != 1 {
						t.Errorf("%s started %d times", name, n)
					}
				}
			})
		})
	}
}

// The wait for an engine ends by its limit, and by an order to stop.
func TestTheWaitForAnEngineEnds(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{}, func(r *rig) {
		r.fake.Set(func(c *fake.Config) { c.Fail = unreachableUntil(time.Now().Add(time.Hour)) })
		r.accept(run("given up", box("a", true, "sleep 600")), run("stopped", box("a", true, "sleep 600")))
		time.Sleep(10 * time.Second)
		r.expect("stopped", "")
		r.accept(stopOf("stopped"))
		if got := r.story("stopped"); !strings.HasPrefix(got, "STOPPED") {
			t.Errorf("10 s later: %q", got)
		}
		r.expect("given up", "")
		time.Sleep(4 * time.Minute)
		if got := r.story("given up"); !strings.HasPrefix(got, "STOPPED") || !strings.Contains(got, "CannotPullContainerError: Cannot connect to the Docker daemon") {
			t.Errorf("after 4 minutes: %q", got)
		}
		if n := len(r.fake.Starts()); n != 0 {
			t.Errorf("%d containers started", n)
		}
	})
}

// The absence of the engine is reported once, and so is its return, unless the absence was
// short.
func TestAnAbsenceIsToldOnce(t *testing.T) {
	var told []time.Time
	inBubble(t, engine.Config{OnEngine: func() { told = append(told, time.Now()) }}, fake.Config{}, func(r *rig) {
		absent := func(d time.Duration) (began time.Time) {
			began = time.Now()
			back := began.Add(d)
			r.fake.Set(func(c *fake.Config) {
				c.Fail = func(string, string) error {
					if time.Now().Before(back) {
						return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("gone")}
					}
					return nil
				}
			})
			r.fake.CutEvents()
			time.Sleep(d + time.Minute)
			synctest.Wait()
			return began
		}
		absent(10 * time.Second)
		if len(told) != 0 {
			t.Errorf("a short absence was told: %v", told)
		}
		began := absent(10 * time.Minute)
		if len(told) != 2 {
			t.Fatalf("told %d times, not when it was away and when it was back: %v", len(told), told)
		}
		for i, at := range []time.Duration{15 * time.Second, 10 * time.Minute} {
			if d := told[i].Sub(began) - at; d < 0 || d > 10*time.Second {
				t.Errorf("told %s after %s", d, at)
			}
		}
	})
}
