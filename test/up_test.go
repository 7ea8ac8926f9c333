package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/local"
)

// containers returns the names of the installation's running containers.
func (i *installation) containers() []string {
	i.Helper()
	in := *i.Installation
	in.Admin = i.admin()
	all, err := in.Containers(i.Context())
	if err != nil {
		i.Fatal(err)
	}
	var names []string
	for _, c := range all {
		// For a while a list shows an ended container as running.
		is, err := i.Docker.ContainerInspect(i.Context(), c.ID, client.ContainerInspectOptions{})
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			i.Fatal(err)
		}
		if is.Container.State.Running {
			names = append(names, c.Names[0])
		}
	}
	slices.Sort(names)
	return names
}

func (i *installation) runs(process string) bool {
	i.Helper()
	_, running, err := local.Running(i.Layout.PID(process))
	if err != nil {
		i.Fatal(err)
	}
	return running
}

func field(t *testing.T, out, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no %s in\n%s", pattern, out)
	}
	return m[1]
}

func page(t *testing.T, url string) string {
	t.Helper()
	c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const pageMark = "Ahoy from Ashore"

func TestUpDownAndUpAgain(t *testing.T) {
	i := newInstallation(t)
	begun := time.Now()
	out := i.up()
	t.Logf("%s\n%s", time.Since(begun), out)
	url := field(t, out, `sample +(http://\S+/), task`)
	task := field(t, out, `sample .*task ([0-9a-f]{32}) of ashore-sample:1, RUNNING in`)
	for _, want := range []string{"its page       " + pageMark, "first task     RUNNING and answering ", "next:\n  eval \"$(", "control plane  http://" + i.Address} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if got := page(t, url); !strings.Contains(got, pageMark) {
		t.Errorf("the page is %q", got)
	}
	first := i.containers()
	if len(first) != 1 {
		t.Errorf("containers: %v", first)
	}

	again := i.up()
	if strings.Count(again, "already runs") != 3 || !strings.Contains(again, task) || !slices.Equal(i.containers(), first) {
		t.Errorf("the second time:\n%s\n%v", again, i.containers())
	}

	out = i.run("down")
	if i.runs("server") || i.runs("agent") || !slices.Equal(i.containers(), first) || !strings.Contains(page(t, url), pageMark) {
		t.Errorf("after down: server %v, agent %v, %v\n%s", i.runs("server"), i.runs("agent"), i.containers(), out)
	}
	if out = i.run("down"); !strings.Contains(out, "neither control plane nor agent runs") {
		t.Errorf("the second down:\n%s", out)
	}

	begun = time.Now()
	out = i.up()
	t.Logf("again %s\n%s", time.Since(begun), out)
	if !strings.Contains(out, url) || !strings.Contains(out, task) || !slices.Equal(i.containers(), first) {
		t.Errorf("after down and up:\n%s\n%v, was %v", out, i.containers(), first)
	}

	backup := filepath.Join(i.home, "backup")
	if out := i.run("backup", backup); !strings.Contains(out, i.admin().InstallationID) {
		t.Errorf("backup: %s", out)
	}

	out = i.run("down", "--tasks")
	if got := i.containers(); len(got) != 0 {
		t.Errorf("after down --tasks: %v\n%s", got, out)
	}
	out = i.up()
	if strings.Contains(out, task) || len(i.containers()) != 1 {
		t.Errorf("a new sample after down --tasks:\n%s\n%v", out, i.containers())
	}
	i.run("down", "--tasks")

	restored := newInstallation(t)
	if out := restored.run("restore", backup); !strings.Contains(out, i.admin().InstallationID) {
		t.Errorf("restore: %s", out)
	}
}

func TestPurgeListsAndRemovesOnlyItsOwn(t *testing.T) {
	mine, other := newInstallation(t), newInstallation(t)
	otherOut := other.up()
	mine.up()
	mine.run("configure", "--profile", "purged")
	config := filepath.Join(mine.home, ".aws", "config")
	if b, err := os.ReadFile(config); err != nil || !strings.Contains(string(b), "[profile purged]") {
		t.Fatalf("%s, %v", b, err)
	}
	if err := os.WriteFile(filepath.Join(mine.Layout.Data, "mine.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out := mine.run("down", "--purge")
	for _, want := range []string{"container  ecs-ashore-sample-1-sample-", "image      localhost/ashore/sample:i-", "files      " + mine.Layout.Data + "/server", "files      " + mine.home + "/seal.key", "profile    purged in ", "all removed"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	left, err := filepath.Glob(filepath.Join(mine.Layout.Data, "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "mine.txt" {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if b, err := os.ReadFile(config); err != nil || strings.Contains(string(b), "purged") {
		t.Errorf("the profile stayed: %s, %v", b, err)
	}
	if got := page(t, field(t, otherOut, `sample +(http://\S+/), task`)); !strings.Contains(got, pageMark) {
		t.Errorf("the other installation's page is %q", got)
	}
	if out := other.up(); strings.Count(out, "already runs") != 3 {
		t.Errorf("the other installation:\n%s", out)
	}
}

func TestUpWithATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	i := newInstallation(t)
	i.Address = l.Addr().String()
	out, err := i.try("up", "--detach", "--listen", i.Address)
	want := fmt.Sprintf("%s is taken by process %d (", i.Address, os.Getpid())
	if err == nil || !strings.Contains(out, want) || !strings.Contains(out, "hint: stop that process, or choose another address by --listen") {
		t.Errorf("%v, no %q in\n%s", err, want, out)
	}
	if i.runs("server") || i.runs("agent") {
		t.Error("something runs")
	}
}

func TestUpRefusesAnotherAccount(t *testing.T) {
	i := newInstallation(t)
	i.up("--no-sample", "--account", "123456789012", "--region", "eu-north-1")
	if a := i.admin(); a.Account != "123456789012" || a.Region != "eu-north-1" {
		t.Errorf("%+v", a)
	}
	for _, state := range []string{"runs", "stopped"} {
		out, err := i.try("up", "--detach", "--no-sample", "--listen", i.Address, "--region", "us-west-2")
		if err == nil || !strings.Contains(out, "eu-north-1") || !strings.Contains(out, "hint: ") {
			t.Errorf("%s: %v\n%s", state, err, out)
		}
		if runs := i.runs("server") && i.runs("agent"); runs != (state == "runs") {
			t.Errorf("%s: afterwards server and agent run: %v", state, runs)
		}
		i.run("down")
	}
	i.up("--no-sample", "--account", "123456789012")
	if out := i.run("up", "--detach", "--no-sample", "--listen", "127.0.0.1:1"); !strings.Contains(out, "not on 127.0.0.1:1;") {
		t.Errorf("another address:\n%s", out)
	}
}

// TestUpInTheForeground stays until Ctrl-C, and leaves the containers.
func TestUpInTheForeground(t *testing.T) {
	i := newInstallation(t)
	cmd := exec.Command(i.Binary, "up", "--listen", i.Address)
	cmd.Env = i.env()
	r, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := readUntil(t, r, "Ctrl-C stops")
	if !i.runs("server") || !i.runs("agent") {
		t.Errorf("it does not run:\n%s", out)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(r)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s%s", err, out, rest)
	}
	if i.runs("server") || i.runs("agent") || len(i.containers()) != 1 {
		t.Errorf("server %v, agent %v, containers %v", i.runs("server"), i.runs("agent"), i.containers())
	}
}

func readUntil(t *testing.T, r io.Reader, mark string) string {
	t.Helper()
	var out strings.Builder
	for b := make([]byte, 256); ; {
		n, err := r.Read(b)
		out.Write(b[:n])
		if strings.Contains(out.String(), mark) {
			return out.String()
		}
		if err != nil {
			t.Fatalf("%v before %q:\n%s", err, mark, out.String())
		}
	}
}

// TestInterruptedUp sends Ctrl-C at each step. Afterwards nothing may run that did not
// run before, and the next up must work.
func TestInterruptedUp(t *testing.T) {
	i := newInstallation(t)
	for _, at := range []string{"engine ", "control plane ", "agent "} {
		cmd := exec.Command(i.Binary, "up", "--detach", "--listen", i.Address)
		cmd.Env = i.env()
		var errs bytes.Buffer
		cmd.Stderr = &errs
		r, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out := readUntil(t, r, at)
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(r)
		if err := cmd.Wait(); err == nil {
			t.Errorf("interrupted at %q, and it went well:\n%s%s", at, out, rest)
		}
		if i.runs("server") || i.runs("agent") {
			t.Errorf("interrupted at %q: server %v, agent %v\n%s", at, i.runs("server"), i.runs("agent"), errs.String())
		}
		if _, err := os.Stat(i.Layout.Admin()); err == nil {
			if got := i.containers(); len(got) != 0 {
				t.Errorf("interrupted at %q: containers %v", at, got)
			}
		}
	}
	i.up()
}

// TestOrdinaryUser runs everything as a user who may use the engine and is not root,
// with the widest umask.
func TestOrdinaryUser(t *testing.T) {
	i := newInstallation(t)
	if os.Geteuid() != 0 {
		t.Log("this test's user is an ordinary one already: all other tests show it")
		i.up()
		return
	}
	info, err := os.Stat("/var/run/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	as := &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{info.Sys().(*syscall.Stat_t).Gid}}
	home, err := os.MkdirTemp("/tmp", "ashore-user-")
	if err != nil {
		t.Fatal(err)
	}
	// The binary's folder may be closed to other users.
	binary, err := os.ReadFile(i.Binary)
	if err == nil {
		err = os.WriteFile(filepath.Join(home, "ashore"), binary, 0o755)
	}
	for _, path := range []string{home, filepath.Join(home, "ashore")} {
		if err == nil {
			err = os.Chown(path, nobody, nobody)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	ashore := func(ctx context.Context, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `umask 000; exec "$0" "$@"`, filepath.Join(home, "ashore")}, args...)...)
		cmd.Dir = home
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if out, err := ashore(ctx, "down", "--purge", "--yes"); err != nil {
			t.Errorf("purge: %v\n%s", err, out)
		}
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	out, err := ashore(t.Context(), "up", "--detach", "--listen", i.Address)
	if err != nil {
		b, _ := os.ReadFile(filepath.Join(home, ".local/share/ashore/log/agent.log"))
		t.Fatalf("%v\n%s\nagent.log:\n%s", err, out, b)
	}
	if !strings.Contains(out, pageMark) {
		t.Errorf("no page:\n%s", out)
	}
	checkSecrets(t, filepath.Join(home, ".local"), filepath.Join(home, ".config"))
	if out, err = ashore(t.Context(), "down", "--tasks"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// checkSecrets: only the owner can enter the data folder, and only the owner can read a
// file with a secret, even without the folder around it.
func checkSecrets(t *testing.T, dirs ...string) {
	t.Helper()
	secret := regexp.MustCompile(`(admin|credentials)\.json$|\.key$|journal|/etcd/.*\.(wal|snap)$|/member/snap/db$`)
	found := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !secret.MatchString(path) {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			found++
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s is %v", path, info.Mode())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 4 {
		t.Errorf("only %d files with secrets found", found)
	}
}
