package test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/local"
	of "github.com/ashore/ashore/test/installation"
)

// installation is an installation with a home folder of its own, for tests of the
// commands' effects and output.
type installation struct {
	*testing.T
	*of.Installation
	home string
}

// newInstallation prepares an installation and purges it at the end. It starts nothing.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	home := t.TempDir()
	in, err := of.New(t.Context(), ashoretest.Binary(t), home)
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{t, in, home}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server's log:\n%s\nagent's log:\n%s", in.Log("server"), in.Log("agent"))
		}
		if err := in.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return i
}

func (i *installation) env() []string {
	env := []string{"HOME=" + i.home, "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR"),
		"ASHORE_DATA_DIR=" + i.Layout.Data, "ASHORE_SEAL_KEY=" + i.SealKey, "ASHORE=" + i.Binary}
	for _, name := range []string{"PATH", "DOCKER_HOST", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// try runs ashore and returns its output.
func (i *installation) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, i.Binary, args...)
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
	return i.run(append([]string{"up", "--detach", "--listen", i.Address}, args...)...)
}

func (i *installation) admin() local.Admin {
	i.Helper()
	a, err := local.ReadAdmin(i.Layout)
	if err != nil {
		i.Fatal(err)
	}
	return a
}

func freeAddress(t *testing.T) string {
	t.Helper()
	a, err := of.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return a
}
