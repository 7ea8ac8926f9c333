// Package disk fills the disk of a control plane, damages its files and takes its file
// descriptors away. It uses real processes and real file systems.
package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/test/installation"
)

// limit bounds each wait for a process.
const limit = time.Minute

// control is a control plane without an agent, as `ashore server` runs it.
type control struct {
	t       *testing.T
	layout  local.Layout
	sealKey string
	address string
	flags   []string
	shell   string // shell command before it, in the same process: ulimit
	api     *client.Client

	cmd    *exec.Cmd
	out    *output
	before string // output of earlier processes
	exited chan struct{}
	err    error // result of Wait; set before exited is closed
}

// output collects what a process prints. It can be read while the process runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// newControl prepares a control plane with a data folder below dir. It starts nothing.
func newControl(t *testing.T, dir string, flags ...string) *control {
	t.Helper()
	env, err := local.ThisEnv()
	if err != nil {
		t.Fatal(err)
	}
	layout, err := local.NewLayout(env, filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	address, err := installation.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	c := &control{t: t, layout: layout, sealKey: filepath.Join(t.TempDir(), "seal.key"), address: address, flags: flags}
	t.Cleanup(func() {
		if t.Failed() && c.out != nil {
			t.Logf("the server said:\n%s", c.allOutput())
		}
		c.kill()
	})
	return c
}

// start starts the process.
func (c *control) start() {
	c.t.Helper()
	args := append([]string{ashoretest.Binary(c.t), "server", "--data-dir", c.layout.Data, "--listen", c.address, "--seal-key", c.sealKey}, c.flags...)
	shell := c.shell
	if shell == "" {
		shell = ":"
	}
	c.cmd = exec.Command("sh", append([]string{"-c", shell + `; exec "$0" "$@"`}, args...)...)
	c.out, c.exited = new(output), make(chan struct{})
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, exited chan struct{}) {
		c.err = cmd.Wait()
		close(exited)
	}(c.cmd, c.exited)
}

// restart starts the process again, and does not wait for it.
func (c *control) restart() {
	c.t.Helper()
	<-c.exited
	c.before += c.out.String()
	c.start()
}

// allOutput returns everything that the processes have printed.
func (c *control) allOutput() string { return c.before + c.out.String() }

// serve starts the process and returns when it serves.
func (c *control) serve() {
	c.t.Helper()
	c.start()
	c.await("the server is ready", func() error {
		select {
		case <-c.exited:
			c.t.Fatalf("the server ended: %v", c.err)
		default:
		}
		p, running, err := local.Running(c.layout.PID("server"))
		if err != nil || !running || !p.Ready {
			return fmt.Errorf("not ready: %w", err)
		}
		return nil
	})
	admin, err := local.ReadAdmin(c.layout)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.api != nil {
		c.api.Close()
	}
	c.api = client.New(admin)
	c.t.Cleanup(c.api.Close)
}

// await calls ask until it returns nil.
func (c *control) await(what string, ask func() error) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("not within %s: %s: %v", limit, what, err)
		}
		select {
		case <-c.t.Context().Done():
			c.t.Fatal(c.t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitExit waits for the end of the process and returns its exit status.
func (c *control) awaitExit() int {
	c.t.Helper()
	select {
	case <-c.exited:
	case <-time.After(limit):
		c.t.Fatalf("it did not end within %s", limit)
	}
	var exit *exec.ExitError
	if errors.As(c.err, &exit) {
		return exit.ExitCode()
	}
	if c.err != nil {
		c.t.Fatal(c.err)
	}
	return 0
}

// terminate sends SIGTERM and returns the exit status.
func (c *control) terminate() int {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
	return c.awaitExit()
}

// kill kills the process with SIGKILL and waits for its end.
func (c *control) kill() {
	if c.cmd == nil {
		return
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
	<-c.exited
}

// within returns a context that bounds a call.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
