// Package installation runs an Ashore for tests and benchmarks: a data directory, a
// server and an agent as processes that can be killed, and a port that the kernel
// chose. It shares the machine's engine with others and touches only objects with its
// own id.
package installation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
	docker "github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/dockerhost"
	"github.com/ashore/ashore/internal/local"
)

// Label is the label of every container of an installation. Its value is the
// installation's id.
const Label = "dev.ashore.installation"

// Installation is one Ashore. Its methods are for one goroutine.
type Installation struct {
	Binary  string
	Layout  local.Layout
	SealKey string // a file
	Address string // to listen on; it stays the same over restarts of the server
	Docker  *docker.Client
	Admin   local.Admin    // set by Up
	API     *client.Client // set by Up
}

// New prepares an installation below dir. The caller keeps dir.
func New(ctx context.Context, binary, dir string) (*Installation, error) {
	env, err := local.ThisEnv()
	if err != nil {
		return nil, err
	}
	layout, err := local.NewLayout(env, filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	engine, _, _, err := dockerhost.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &Installation{Binary: binary, Layout: layout, SealKey: filepath.Join(dir, "seal.key"), Address: address, Docker: engine}, nil
}

// FreeAddress returns an address on loopback that the kernel has just assigned and
// released.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Up starts the server and the agent, unless they run, and returns when both serve.
func (i *Installation) Up(ctx context.Context, flags ...string) error {
	args := append([]string{"up", "--detach", "--no-sample", "--listen", i.Address, "--seal-key", i.SealKey}, flags...)
	if err := i.Command(ctx, args...); err != nil {
		return err
	}
	admin, err := local.ReadAdmin(i.Layout)
	if err != nil {
		return err
	}
	if i.API == nil || admin != i.Admin {
		i.Admin, i.API = admin, client.New(admin)
	}
	return nil
}

// Command runs `ashore` with this installation.
func (i *Installation) Command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, i.Binary, append(args, "--data-dir", i.Layout.Data)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ashore %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// PID returns the process id of the "server" or the "agent".
func (i *Installation) PID(process string) (int, error) {
	p, running, err := local.Running(i.Layout.PID(process))
	if err == nil && !running {
		err = fmt.Errorf("the %s does not run", process)
	}
	return p.PID, err
}

// Kill kills the "server" or the "agent" with SIGKILL and returns when it has ended. It
// kills the watcher first, so that only Up restarts the process.
func (i *Installation) Kill(ctx context.Context, process string) error {
	if _, watches, err := local.Running(i.Layout.PID("watch")); err != nil || watches && process != "watch" {
		if err := errors.Join(err, i.Kill(ctx, "watch")); err != nil {
			return err
		}
	}
	return i.KillAlone(ctx, process)
}

// Stop sends SIGTERM to the "server" or the "agent" and returns when it has ended. It
// kills the watcher first, as Kill does.
func (i *Installation) Stop(ctx context.Context, process string) error {
	if _, watches, err := local.Running(i.Layout.PID("watch")); err != nil || watches {
		if err := errors.Join(err, i.KillAlone(ctx, "watch")); err != nil {
			return err
		}
	}
	stopped, err := local.Stop(ctx, i.Layout.PID(process), 30*time.Second)
	if err == nil && !stopped {
		err = fmt.Errorf("the %s does not run", process)
	}
	return err
}

// KillAlone kills one of the processes with SIGKILL, possibly "watch".
func (i *Installation) KillAlone(ctx context.Context, process string) error {
	pid, err := i.PID(process)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the %s: %w", process, err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if p, running, err := local.Running(i.Layout.PID(process)); err != nil || !running || p.PID != 0 && p.PID != pid {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Containers lists the installation's containers, including ended ones.
func (i *Installation) Containers(ctx context.Context) ([]container.Summary, error) {
	r, err := i.Docker.ContainerList(ctx, docker.ContainerListOptions{All: true,
		Filters: make(docker.Filters).Add("label", Label+"="+i.Admin.InstallationID)})
	return r.Items, err
}

// Log returns the last part of a process's log, for a failed test.
func (i *Installation) Log(process string) string {
	b, err := os.ReadFile(i.Layout.Log(process))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-8000):])
}

// Close removes everything that the installation made: processes, containers, images,
// data.
func (i *Installation) Close(ctx context.Context) error {
	err := i.Command(ctx, "down", "--purge", "--yes", "--seal-key", i.SealKey)
	if i.API != nil {
		i.API.Close()
	}
	return errors.Join(err, i.Docker.Close())
}
