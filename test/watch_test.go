package test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/test/volume"
)

// await waits until another process than the earlier one is ready.
func (i *installation) await(process string, before int) local.Process {
	i.Helper()
	ctx, cancel := context.WithTimeout(i.Context(), time.Minute)
	defer cancel()
	for {
		p, running, err := local.Running(i.Layout.PID(process))
		if err != nil {
			i.Fatal(err)
		}
		if running && p.Ready && p.PID != before {
			return p
		}
		if pace.Sleep(ctx, 20*time.Millisecond) != nil {
			i.Fatalf("the %s was not started again; the watcher said:\n%s", process, i.Log("watch"))
		}
	}
}

// kill kills some of the processes at once.
func (i *installation) kill(processes ...string) map[string]int {
	i.Helper()
	pids := map[string]int{}
	for _, name := range processes {
		pid, err := i.PID(name)
		if err != nil {
			i.Fatal(err)
		}
		pids[name] = pid
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			i.Fatal(err)
		}
	}
	return pids
}

// listClusters lists the clusters.
func (i *installation) listClusters() error {
	api := client.New(i.admin())
	defer api.Close()
	_, err := api.ECS.ListClusters(i.Context(), &ecs.ListClustersInput{})
	return err
}

// TestKilledBehindDetach kills server, agent and watcher, alone and together. The
// watcher restarts server and agent at the same addresses, containers are not touched,
// and after the watcher's death the others run on until the next up.
func TestKilledBehindDetach(t *testing.T) {
	i := newInstallation(t)
	out := i.up()
	url := field(t, out, `sample +(http://\S+/), task`)
	containers := i.containers()
	same := func(when string) {
		t.Helper()
		if got := i.containers(); !slices.Equal(got, containers) || !strings.Contains(page(t, url), pageMark) {
			t.Errorf("%s: containers %v, were %v", when, got, containers)
		}
		if err := i.listClusters(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	endpoint := i.admin().Endpoint
	for _, victims := range [][]string{{"server"}, {"agent"}, {"server", "agent"}, {"server"}} {
		pids := i.kill(victims...)
		for _, name := range []string{"server", "agent"} {
			if p := i.await(name, pids[name]); p.Endpoint != endpoint {
				t.Errorf("%v: the %s is at %s, was at %s", victims, name, p.Endpoint, endpoint)
			}
		}
		same(strings.Join(victims, " and "))
	}
	watcher := i.kill("watch")["watch"]
	if !i.runs("server") || !i.runs("agent") {
		t.Error("the watcher took others with it")
	}
	same("without a watcher")
	i.up()
	i.await("watch", watcher)
	pids := i.kill("server")
	i.await("server", pids["server"])
	same("with another watcher")

	// All at once, and up without a wait.
	pids = i.kill("watch", "server", "agent")
	i.up()
	for name, pid := range pids {
		i.await(name, pid)
	}
	same("all killed")
	// down ends a watcher that is about to restart the others.
	i.kill("server", "agent")
	i.run("down")
	for _, name := range []string{"watch", "server", "agent"} {
		if i.runs(name) {
			t.Errorf("the %s runs after down", name)
		}
	}
	if got := i.containers(); !slices.Equal(got, containers) {
		t.Errorf("down: containers %v, were %v", got, containers)
	}
}

// TestKilledInTheForeground: `ashore up` without --detach itself watches.
func TestKilledInTheForeground(t *testing.T) {
	i := newInstallation(t)
	cmd := exec.Command(i.Binary, "up", "--no-sample", "--listen", i.Address)
	cmd.Env = i.env()
	r, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := readUntil(t, r, "Ctrl-C stops")
	i.await("watch", 0)
	pids := i.kill("server", "agent")
	for name, pid := range pids {
		i.await(name, pid)
	}
	if err := i.listClusters(); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(r)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s%s", err, out, rest)
	}
	if i.runs("server") || i.runs("agent") || i.runs("watch") {
		t.Errorf("server %v, agent %v, watcher %v", i.runs("server"), i.runs("agent"), i.runs("watch"))
	}
}

// TestOnAFullDisk: with a full disk everyone can still read, stop what runs on it, and
// start it again.
func TestOnAFullDisk(t *testing.T) {
	i := newInstallation(t)
	if err := os.Mkdir(i.Layout.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	v := volume.Tmpfs(t, i.Layout.Data, 640<<20)
	defer func() { // remove what is on the volume before the volume
		i.run("down", "--purge", "--yes")
	}()
	i.up()
	containers := i.containers()
	v.Fill()
	reads := func(when string) {
		t.Helper()
		if err := i.listClusters(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if got := i.containers(); !slices.Equal(got, containers) {
			t.Errorf("%s: containers %v, were %v", when, got, containers)
		}
	}
	reads("full")
	pids := i.kill("server")
	i.await("server", pids["server"])
	reads("the server killed")
	if out := i.run("down"); !strings.Contains(out, "stopped the agent\nstopped the server\n") {
		t.Errorf("down: %s", out)
	}
	out := i.up()
	if !strings.Contains(out, "warning: the disk of the data folder "+i.Layout.Server()) || !i.runs("server") || !i.runs("agent") || !i.runs("watch") {
		t.Errorf("up: %s", out)
	}
	reads("up")
	v.Free()
	i.await("agent", 0)         // connected
	for ctx := t.Context(); ; { // the pid file shows it within a second or two
		if p := i.await("server", 0); p.Unable == "" {
			break
		}
		if pace.Sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatal(ctx.Err())
		}
	}
	reads("with room")
	if out := i.up(); strings.Contains(out, "warning") || strings.Count(out, "already runs") != 3 {
		t.Errorf("up with room: %s", out)
	}

	v.Fill()
	if out := i.run("down", "--tasks"); !strings.Contains(out, "the control plane does not stop its tasks: the disk of the data folder ") || len(i.containers()) != 0 {
		t.Errorf("down --tasks: %s\n%v", out, i.containers())
	}
	v.Free()
}
