package engine_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

func TestPullBehaviours(t *testing.T) {
	pulled := map[string]runtime.Image{"img": {Digest: "sha256:old"}}
	newer := map[string]runtime.Image{"img": {Digest: "sha256:new"}}
	for name, c := range map[string]struct {
		behaviour engine.PullBehavior
		fake      fake.Config
		took      time.Duration
		status    string
		digest    string
		reason    string
	}{
		"default takes the newer":            {engine.PullDefault, fake.Config{Images: pulled, Registry: newer, PullDelay: time.Second}, time.Second, "RUNNING", "sha256:new", ""},
		"default without registry":           {engine.PullDefault, fake.Config{Images: pulled, RegistryDown: true}, 2 * time.Second, "RUNNING", "sha256:old", "CannotPullContainerError: the registry did not answer within 2s"},
		"default, never was in a registry":   {engine.PullDefault, fake.Config{Images: map[string]runtime.Image{"img": {}}, RegistryDown: true}, 0, "RUNNING", "", ""},
		"default, only in the registry":      {engine.PullDefault, fake.Config{Images: map[string]runtime.Image{}, Registry: newer, PullDelay: 20 * time.Second}, 20 * time.Second, "RUNNING", "sha256:new", ""},
		"prefer-cached takes what is here":   {engine.PullPreferCached, fake.Config{Images: pulled, Registry: newer, PullDelay: time.Second}, 0, "RUNNING", "sha256:old", ""},
		"always fails without registry":      {engine.PullAlways, fake.Config{Images: pulled}, 0, "STOPPED", "", "CannotPullContainerError: manifest for img not found: manifest unknown"},
		"once pulls the first time":          {engine.PullOnce, fake.Config{Images: pulled, Registry: newer, PullDelay: time.Second}, time.Second, "RUNNING", "sha256:new", ""},
		"default and nowhere, final at once": {engine.PullDefault, fake.Config{Images: map[string]runtime.Image{}}, 0, "STOPPED", "", "CannotPullContainerError: manifest for img not found: manifest unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			c.fake.Images = maps.Clone(c.fake.Images)
			inBubble(t, engine.Config{PullBehavior: c.behaviour}, c.fake, func(r *rig) {
				began := time.Now()
				r.accept(run("t", box("a", true, "sleep 600")))
				time.Sleep(c.took)
				synctest.Wait()
				r.mu.Lock()
				defer r.mu.Unlock()
				if len(r.reports) == 0 {
					t.Fatalf("no report after %s", time.Since(began))
				}
				last := r.reports[len(r.reports)-1]
				if got := last.Containers[0]; last.Status != c.status || got.Digest != c.digest || got.Reason != c.reason {
					t.Errorf("%s %+v", last.Status, got)
				}
			})
		})
	}
}
