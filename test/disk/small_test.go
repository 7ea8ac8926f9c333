package disk

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/test/volume"
)

// TestNoRoomToBegin: neither a new installation nor a restore begins without enough
// space. Both say how much they need, and leave nothing behind.
func TestNoRoomToBegin(t *testing.T) {
	whole := newControl(t, t.TempDir())
	whole.serve()
	backup := filepath.Join(t.TempDir(), "backup")
	if out, err := exec.CommandContext(within(t), ashoretest.Binary(t), "backup", backup, "--data-dir", whole.layout.Data).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole.terminate()
	for what, run := range map[string]func(c *control) (string, int){
		"server": func(c *control) (string, int) {
			c.start()
			code := c.awaitExit()
			return c.out.String(), code
		},
		"restore": func(c *control) (string, int) {
			cmd := exec.CommandContext(within(t), ashoretest.Binary(t), "restore", backup, "--data-dir", c.layout.Data)
			out, _ := cmd.CombinedOutput()
			return string(out), cmd.ProcessState.ExitCode()
		},
	} {
		t.Run(what, func(t *testing.T) {
			v := volume.Tmpfs(t, t.TempDir(), 200<<20)
			c := newControl(t, v.Dir)
			out, code := run(c)
			for _, w := range []string{"error: ", "needs 250.1 MiB of free room on its disk (mounted at " + v.Dir + "), and there are ", "\nhint: free some room"} {
				if !strings.Contains(out, w) {
					t.Errorf("no %q in\n%s", w, out)
				}
			}
			left, err := filepath.Glob(filepath.Join(c.layout.Server(), "etcd", "*"))
			if err != nil || len(left) != 0 || code != 1 {
				t.Errorf("it ended with %d and left %v, %v", code, left, err)
			}
		})
	}
}
