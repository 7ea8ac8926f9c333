package test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/local"
)

// installation is one of its own: data folder, seal key, port, home.
type installation struct {
	*testing.T
	ashore, data, home, listen string
}

// newInstallation makes one that is purged at the end. Nothing is started.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	home := t.TempDir()
	i := &installation{T: t, ashore: ashoretest.Binary(t), home: home, data: filepath.Join(home, "data"), listen: freeAddress(t)}
	t.Cleanup(func() {
		if t.Failed() {
			i.showLogs()
		}
		if out, err := i.try("down", "--purge", "--yes"); err != nil {
			t.Errorf("purge: %v\n%s", err, out)
		}
	})
	return i
}

func (i *installation) env() []string {
	env := []string{"HOME=" + i.home, "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR"),
		"ASHORE_DATA_DIR=" + i.data, "ASHORE_SEAL_KEY=" + filepath.Join(i.home, "seal.key"), "ASHORE=" + i.ashore}
	for _, name := range []string{"PATH", "DOCKER_HOST", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// try runs ashore and returns what it printed.
func (i *installation) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, i.ashore, args...)
	cmd.Env = i.env()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (i *installation) run(args ...string) string {
	i.Helper()
	out, err := i.try(args...)
	if err != nil {
		i.Fatalf("ashore %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (i *installation) up(args ...string) string {
	i.Helper()
	return i.run(append([]string{"up", "--detach", "--listen", i.listen}, args...)...)
}

func (i *installation) admin() local.Admin {
	i.Helper()
	a, err := local.ReadAdmin(i.layout())
	if err != nil {
		i.Fatal(err)
	}
	return a
}

func (i *installation) layout() local.Layout {
	i.Helper()
	l, err := local.NewLayout(local.Env{Root: true, Getenv: os.Getenv}, i.data)
	if err != nil {
		i.Fatal(err)
	}
	return l
}

func (i *installation) showLogs() {
	for _, name := range []string{"server", "agent"} {
		b, err := os.ReadFile(i.layout().Log(name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		i.Logf("%s.log, its end (%v):\n%s", name, err, b[max(0, len(b)-6000):])
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
