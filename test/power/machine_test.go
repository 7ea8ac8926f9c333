package power

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ashore/ashore/test/power/lossy"
)

// patience bounds the kernel's work at a boot and at a cut.
const patience = 60 * time.Second

// machine is a machine that can lose its power. It is a disk, and all processes of a
// namespace, with a boot id, /run, control groups, mounts and a network of their own
// (an engine without a bridge removes the bridge that it finds). It shares the clock
// with the real machine. Its methods are for one goroutine.
type machine struct {
	t    *testing.T
	dir  string // the test's folder, on a disk that is not cut
	Disk *lossy.Disk
	name string // of its control groups
	Run  []program
	To   string // an address in its network, which the socket "api.sock" in dir reaches

	rng    *rand.Rand
	boots  int
	device *lossy.Device
	cmd    *exec.Cmd // the first process; nil while the machine is off
	hold   *os.File  // the first process's pipe
	heard  sync.WaitGroup

	mu    sync.Mutex
	words []string      // of this boot; guarded by mu
	spoke chan struct{} // closed and replaced at each message; guarded by mu
}

// prefix is the prefix of the names of folders and control groups. The id of the
// process that made them follows.
const prefix = "ashore-power-"

// removeStale removes the folders and control groups that a killed test has left. Everything
// else ends with its process.
func removeStale() error {
	left := map[string]bool{}
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range append([]hierarchy{{mount: os.TempDir()}}, all...) {
		names, err := filepath.Glob(filepath.Join(h.mount, prefix+"*"))
		if err != nil {
			return err
		}
		for _, name := range names {
			pid, err := strconv.Atoi(strings.Split(strings.TrimPrefix(filepath.Base(name), prefix), "-")[0])
			if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				left[filepath.Base(name)] = true
			}
		}
	}
	for name := range left {
		for _, h := range all {
			if err := h.remove(name); err != nil {
				return err
			}
		}
		if err := os.RemoveAll(filepath.Join(os.TempDir(), name)); err != nil {
			return err
		}
	}
	return nil
}

// newMachine makes a machine that is off, with an empty file system.
func newMachine(t *testing.T, rng *rand.Rand, size int64) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a machine that can lose its power needs root for its disk and its namespaces: run it again by sudo, or inside a container with --privileged")
	}
	if err := removeStale(); err != nil {
		t.Fatal(err)
	}
	// A short path, because the paths of sockets are limited.
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	disk, err := lossy.New(size)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, dir: dir, Disk: disk, name: filepath.Base(dir), rng: rng, spoke: make(chan struct{})}
	t.Cleanup(func() {
		if m.cmd != nil {
			m.Cut()
		}
		if err := errors.Join(disk.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	for _, sub := range []string{"device", "disk", "log"} {
		if err := os.Mkdir(m.path(sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.Format(m.path("image")); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machine) path(of ...string) string { return filepath.Join(append([]string{m.dir}, of...)...) }

// mounted returns a path on the machine's disk, as the machine sees it.
func (m *machine) mounted(of ...string) string { return m.path(append([]string{"disk"}, of...)...) }

// Seen returns the path under which this test reaches a path of the machine's disk
// while the machine is on.
func (m *machine) Seen(of ...string) string {
	return fmt.Sprintf("/proc/%d/root%s", m.cmd.Process.Pid, m.mounted(of...))
}

// Boot turns the machine on and returns when its disk is mounted.
func (m *machine) Boot() error {
	if err := m.boot(); err != nil {
		return err
	}
	return errors.Join(m.Await("mounted", patience), m.device.Release())
}

func (m *machine) boot() (err error) {
	m.boots++
	if m.device, err = m.Disk.Attach(m.path("device")); err != nil {
		return err
	}
	id := m.path("boot_id")
	if err := os.WriteFile(id, []byte(uuid.NewString()+"\n"), 0o444); err != nil {
		return err
	}
	p, err := json.Marshal(plan{Device: m.device.Path, Mount: m.mounted(), BootID: id, Cgroup: m.name, Run: m.Run, Socket: m.path("api.sock"), To: m.To})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	held, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	said, saying, err := os.Pipe()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.words = nil
	m.mu.Unlock()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), stageVar+"=1", planVar+"="+string(p))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.ExtraFiles = []*os.File{held, saying}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if err := errors.Join(cmd.Start(), held.Close(), saying.Close()); err != nil {
		return err
	}
	m.cmd, m.hold = cmd, hold
	m.heard.Go(func() {
		defer said.Close()
		for lines := bufio.NewScanner(said); lines.Scan(); {
			m.mu.Lock()
			m.words = append(m.words, lines.Text())
			close(m.spoke)
			m.spoke = make(chan struct{})
			m.mu.Unlock()
		}
	})
	return nil
}

// Await waits for a message of the first process. A message about an error, or about a
// program's end, is an error unless it is the awaited one.
func (m *machine) Await(word string, limit time.Duration) error {
	deadline := time.After(limit)
	for {
		m.mu.Lock()
		words, spoke := m.words, m.spoke
		m.mu.Unlock()
		for _, w := range words {
			if w == word {
				return nil
			}
			if strings.HasPrefix(w, "error ") || strings.HasPrefix(w, "ended ") {
				return errors.New(w)
			}
		}
		select {
		case <-spoke:
		case <-deadline:
			return fmt.Errorf("it did not say %q within %s", word, limit)
		}
	}
}

// Fault returns the error, or the program's end, that the first process has reported.
func (m *machine) Fault() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.words {
		if strings.HasPrefix(w, "error ") || strings.HasPrefix(w, "ended ") {
			return errors.New(w)
		}
	}
	return nil
}

// Cut cuts the power. The answers that processes got are true: the disk has answered no
// request since it froze, and no process lives when it answers again.
func (m *machine) Cut() lossy.Loss {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.t.Context()), patience)
	defer cancel()
	m.Disk.Freeze()
	if err := killTree(m.cmd.Process.Pid); err != nil {
		m.t.Fatal(err)
	}
	m.Disk.PowerOff()
	var exit *exec.ExitError
	if err := m.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	m.cmd = nil
	if err := m.hold.Close(); err != nil {
		m.t.Error(err)
	}
	m.heard.Wait()
	if m.device != nil {
		// If the mount failed, this process still has the device.
		if err := m.device.Release(); err != nil && !errors.Is(err, os.ErrClosed) {
			m.t.Error(err)
		}
		if err := m.device.AwaitRelease(ctx); err != nil {
			m.t.Fatal(err)
		}
		m.device = nil
	}
	if err := m.removeCgroups(ctx); err != nil {
		m.t.Fatal(err)
	}
	return m.Disk.PowerOn(m.rng)
}

func (m *machine) removeCgroups(ctx context.Context) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		for {
			err := h.remove(m.name)
			if err == nil {
				break
			}
			if !errors.Is(err, syscall.EBUSY) { // the last of its processes is being reaped
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}

// killTree kills a namespace's first process. The kernel then kills all others of the
// namespace. killTree returns when all have ended.
func killTree(first int) error {
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	killed := map[int]bool{}
	for {
		tree, err := descendants(first)
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range tree {
			if killed[pid] {
				continue
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
			killed[pid], fresh = true, true
		}
		if !fresh {
			return nil
		}
	}
}

// descendants returns a process's children, their children, and so on. In a namespace,
// orphans become children of the first process.
func descendants(first int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil { // it has ended
			continue
		}
		// The name in parentheses may contain anything.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) < 2 {
			return nil, fmt.Errorf("/proc/%d/stat: %q", pid, b)
		}
		parent, err := strconv.Atoi(f[1])
		if err != nil {
			return nil, err
		}
		children[parent] = append(children[parent], pid)
	}
	all := []int{}
	for next := children[first]; len(next) > 0; next = next[1:] {
		all = append(all, next[0])
		next = append(next, children[next[0]]...)
	}
	return all, nil
}
