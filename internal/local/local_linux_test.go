package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/hint"
)

// The test binary is also the process that Spawn starts. Its first argument selects its
// behaviour, its second is the path of its pid file.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "be-") {
		os.Exit(child(os.Args[1], os.Args[2]))
	}
	os.Exit(m.Run())
}

func child(how, pidFile string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if how == "be-wrong" {
		hint.Print(os.Stderr, hint.With(errors.New("port 1 is taken"), "use --listen"))
		return 1
	}
	if how == "be-broken" {
		fmt.Println("panic: oh no")
		return 2
	}
	c, err := TakeClaim(ctx, pidFile)
	if err == nil && how != "be-slow" {
		err = c.WriteProcess(Process{Ready: true, Endpoint: "http://here", Version: "v1", Args: os.Args[1:]})
	}
	if err != nil {
		fmt.Println(err)
		return 3
	}
	if how == "be-deaf" {
		stop()
		signal.Ignore(syscall.SIGTERM)
		select {}
	}
	<-ctx.Done()
	if err := c.Release(); err != nil {
		return 4
	}
	return 0
}

func testLayout(t *testing.T) Layout {
	l, err := NewLayout(Env{Root: true, Getenv: os.Getenv}, filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Make(); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLayout(t *testing.T) {
	env := map[string]string{}
	get := func(k string) string { return env[k] }
	check := func(root bool, flag, data, seal string) {
		t.Helper()
		l, err := NewLayout(Env{Root: root, Getenv: get, Home: "/home/me"}, flag)
		if err != nil || l.Data != data || l.SealKey("i") != seal {
			t.Errorf("got %q, %q, %v", l.Data, l.SealKey("i"), err)
		}
	}
	check(true, "", "/var/lib/ashore", "/etc/ashore/seal/i.key")
	check(true, "/x", "/x", "/etc/ashore/seal/i.key")
	check(false, "", "/home/me/.local/share/ashore", "/home/me/.config/ashore/seal/i.key")
	env["XDG_DATA_HOME"], env["XDG_CONFIG_HOME"] = "/d", "/c"
	check(false, "", "/d/ashore", "/c/ashore/seal/i.key")
}

func TestSecretsAreTheOwnersUnderAnyUmask(t *testing.T) {
	for _, umask := range []int{0, 0o22, 0o77, 0o777} {
		old := syscall.Umask(umask)
		l := testLayout(t)
		err := Admin{Endpoint: "http://127.0.0.1:4700", SecretAccessKey: "s"}.Write(l)
		again := Admin{Endpoint: "http://127.0.0.1:4701", SecretAccessKey: "s"}.Write(l)
		syscall.Umask(old)
		if err != nil || again != nil {
			t.Fatal(err, again)
		}
		for path, want := range map[string]os.FileMode{l.Admin(): 0o600, l.Data: 0o700, l.Server(): 0o700} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("umask %o: %s is %v, %v", umask, path, info.Mode(), err)
			}
		}
		a, err := ReadAdmin(l)
		if err != nil || a.Endpoint != "http://127.0.0.1:4701" || a.Host() != "127.0.0.1" {
			t.Errorf("%+v, %v", a, err)
		}
		left, err := filepath.Glob(filepath.Join(l.Data, ".*"))
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// A check whether a process runs takes the lock for a moment, and does not keep another
// process from starting.
func TestAClaimBesideGlances(t *testing.T) {
	l := testLayout(t)
	ctx, stop := context.WithCancel(t.Context())
	var lookers sync.WaitGroup
	for range 4 {
		lookers.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := Running(l.PID("server")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 300 {
		c, err := TakeClaim(t.Context(), l.PID("server"))
		if err != nil {
			t.Error(err)
			break
		}
		if _, err := TakeClaim(t.Context(), l.PID("server")); !errors.Is(err, ErrRunning) {
			t.Error("claimed twice:", err)
		}
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	}
	stop()
	lookers.Wait()
}

func TestAClaimIsOneProcess(t *testing.T) {
	l := testLayout(t)
	if _, running, err := Running(l.PID("server")); running || err != nil {
		t.Fatal("runs before it was started", err)
	}
	c, err := TakeClaim(t.Context(), l.PID("server"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TakeClaim(t.Context(), l.PID("server")); !errors.Is(err, ErrRunning) {
		t.Error("claimed twice:", err)
	}
	if err := c.WriteProcess(Process{Ready: true}); err != nil {
		t.Fatal(err)
	}
	if p, running, err := Running(l.PID("server")); !running || p.PID != os.Getpid() || err != nil {
		t.Error(p, running, err)
	}
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	if _, running, _ := Running(l.PID("server")); running {
		t.Error("runs after release")
	}
}

func TestSpawnAndStop(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := testLayout(t)
	spawn := func(how string, limit time.Duration) (Process, error) {
		return Spawn(t.Context(), l, Start{Process: "server", Binary: self, Args: []string{how, l.PID("server")}, Limit: limit})
	}
	p, err := spawn("be-good", 30*time.Second)
	if err != nil || p.Endpoint != "http://here" {
		t.Fatal(p, err)
	}
	if stopped, err := Stop(t.Context(), l.PID("server"), 30*time.Second); !stopped || err != nil {
		t.Fatal(stopped, err)
	}
	if stopped, err := Stop(t.Context(), l.PID("server"), time.Second); stopped || err != nil {
		t.Error("stopped what was stopped", stopped, err)
	}

	if _, err := spawn("be-deaf", 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if stopped, err := Stop(t.Context(), l.PID("server"), 50*time.Millisecond); !stopped || err != nil {
		t.Error("one that ignores SIGTERM", stopped, err)
	}
	// The text of the killed process is still in the file. It does not count.
	if _, running, err := Running(l.PID("server")); running || err != nil {
		t.Error("a killed process runs", err)
	}

	var h *hint.Error
	if _, err := spawn("be-wrong", 30*time.Second); !errors.As(err, &h) ||
		err.Error() != "the server did not start: port 1 is taken" || h.Hint != "use --listen" {
		t.Errorf("%v, %+v", err, h)
	}
	if _, err := spawn("be-broken", 30*time.Second); err == nil || !strings.Contains(err.Error(), "exit status 2; its last words:\npanic: oh no") {
		t.Error(err)
	}
	if _, err := spawn("be-slow", 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), "not ready after 200ms") {
		t.Error(err)
	}
	if _, running, _ := Running(l.PID("server")); running {
		t.Error("a start that failed left its process behind")
	}
}

func TestATakenPortNamesItsHolder(t *testing.T) {
	taken, err := Listen("127.0.0.1:0", "--listen")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Listen(taken.Addr().String(), "--listen")
	var h *hint.Error
	if !errors.As(err, &h) || !strings.Contains(h.Hint, "--listen") {
		t.Fatalf("%v has no hint with the flag", err)
	}
	want := fmt.Sprintf("%s is taken by process %d (%s", taken.Addr(), os.Getpid(), os.Args[0])
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %q, want %q…", err, want)
	}
	if _, _, ok := portHolder("/proc", taken.Addr().(*net.TCPAddr).Port+1); ok {
		t.Log("the next port is taken as well")
	}
}
