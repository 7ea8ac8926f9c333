package disk

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/test/volume"
)

// TestClaims: a pid file can be locked on a disk that is full, or that was mounted
// read-only since, as the kernel does when a disk fails. `ashore down` needs no more.
func TestClaims(t *testing.T) {
	for _, how := range []string{"full", "read-only"} {
		t.Run(how, func(t *testing.T) {
			v := volume.Tmpfs(t, t.TempDir(), 1<<20)
			path := filepath.Join(v.Dir, "up.lock")
			c, err := local.TakeClaim(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.WriteProcess(local.Process{}), c.Release()); err != nil {
				t.Fatal(err)
			}
			if how == "full" {
				v.Fill()
			} else {
				v.ReadOnly(true)
			}
			c, err = local.TakeClaim(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			err = c.WriteProcess(local.Process{Ready: true})
			if how == "full" && err != nil || how == "read-only" && !local.IsUnwritable(err) {
				t.Errorf("say: %v", err)
			}
			if _, err := local.TakeClaim(t.Context(), path); !errors.Is(err, local.ErrRunning) {
				t.Errorf("held twice: %v", err)
			}
			if p, running, err := local.Running(path); !running || err != nil || how == "full" && !p.Ready {
				t.Errorf("%+v, %v, %v", p, running, err)
			}
			if err := c.Release(); err != nil {
				t.Errorf("release: %v", err)
			}
			if how == "full" {
				return
			}
			other := filepath.Join(v.Dir, "never.lock") // as of a server that `ashore up` did not start
			if c, err = local.TakeClaim(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			if _, err := local.TakeClaim(t.Context(), other); !errors.Is(err, local.ErrRunning) {
				t.Errorf("held twice: %v", err)
			}
			if err := c.Release(); err != nil {
				t.Errorf("release: %v", err)
			}
		})
	}
}
