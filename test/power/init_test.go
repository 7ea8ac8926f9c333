package power

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These are for the machine's first process: this test's own binary, called again.
const (
	stageVar  = "ASHORE_POWER_STAGE" // 1, then 2 inside the control groups' namespace
	planVar   = "ASHORE_POWER_PLAN"
	holdFD    = 3 // a pipe: when it ends, the machine loses its power
	messageFD = 4 // a pipe for its messages, one in each line
)

// plan is what the machine's first process does at a boot.
type plan struct {
	Device, Mount string // the disk, and where it is mounted
	BootID        string // a file
	Cgroup        string // of the machine, below each hierarchy's root
	Socket, To    string // connections to this socket reach that address in the machine, if set
	Run           []program
}

// program is a program that is started at each boot.
type program struct {
	Name  string
	Args  []string
	Env   []string
	After string // an engine's socket that must answer first, if set
	Log   string // a file
}

func TestMain(m *testing.M) {
	switch os.Getenv(stageVar) {
	case "1":
		sendMessage("error enter: %v", enter())
		os.Exit(1)
	case "2":
		sendMessage("error boot: %v", boot())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var messages = os.NewFile(messageFD, "words")

func sendMessage(format string, args ...any) { fmt.Fprintf(messages, format+"\n", args...) }

// enter makes the machine's mounts private and moves into its control groups. It
// returns only on an error.
func enter() error {
	p, err := readPlan()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	hierarchies, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		if err := h.enter(p.Cgroup); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The namespace belongs to the thread. The program that replaces it is entirely in
	// it.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("a namespace of control groups: %w", err)
	}
	if err := os.Setenv(stageVar, "2"); err != nil {
		return err
	}
	return unix.Exec(self, os.Args, os.Environ())
}

func readPlan() (plan, error) {
	var p plan
	return p, json.Unmarshal([]byte(os.Getenv(planVar)), &p)
}

// boot is the machine's first process. It mounts, starts the plan's programs, and reaps
// all processes that end. It returns only on an error.
func boot() error {
	p, err := readPlan()
	if err != nil {
		return err
	}
	hold := os.NewFile(holdFD, "hold")
	go func() {
		// No one writes to it.
		_, _ = io.Copy(io.Discard, hold)
		os.Exit(0)
	}()
	for _, fd := range []int{holdFD, messageFD} {
		unix.CloseOnExec(fd)
	}
	hierarchies, err := hierarchies()
	if err != nil {
		return err
	}
	if err := mountCgroups(hierarchies); err != nil {
		return err
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{p.BootID, "/proc/sys/kernel/random/boot_id", "", unix.MS_BIND},
		{"run", "/run", "tmpfs", 0},
		{p.Device, p.Mount, "ext4", unix.MS_NOATIME},
	} {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
		}
	}
	if err := setUpNetwork(p); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	sendMessage("mounted")
	started := make(chan error, 1)
	names := make(chan named)
	go func() { started <- start(p.Run, names) }()
	return reap(names, started)
}

type named struct {
	pid  int
	name string
}

// start starts the programs one after the other.
func start(programs []program, names chan<- named) error {
	for _, c := range programs {
		if err := await(c.After); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		path, err := exec.LookPath(c.Args[0])
		if err != nil {
			return err
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		process, err := os.StartProcess(path, c.Args, &os.ProcAttr{Env: append(os.Environ(), c.Env...), Files: []*os.File{null, log, log}})
		if err := errors.Join(err, log.Close(), null.Close()); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		names <- named{process.Pid, c.Name}
	}
	return nil
}

// reap reaps every process that ends, including orphans. It reports the end of the
// plan's programs.
func reap(names <-chan named, started <-chan error) error {
	known, gone := map[int]string{}, map[int]int{}
	tell := func(pid int) {
		if status, ended := gone[pid]; ended && known[pid] != "" {
			sendMessage("ended %s %d", known[pid], status)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case n := <-names:
			known[n.pid] = n.name
			tell(n.pid)
		case err := <-started:
			if err != nil {
				return err
			}
			sendMessage("started")
		case <-tick.C:
			var status unix.WaitStatus
			for {
				pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
				if pid <= 0 || err != nil {
					break
				}
				gone[pid] = int(status)
				tell(pid)
			}
		}
	}
}

// await waits until an engine answers on a socket. The engine listens before it
// answers.
func await(socket string) error {
	if socket == "" {
		return nil
	}
	c := &http.Client{Timeout: readyLimit, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	deadline := time.Now().Add(readyLimit)
	for {
		r, err := c.Get("http://engine/_ping")
		if err == nil {
			return r.Body.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// hierarchy is one of the control groups' file systems.
type hierarchy struct {
	mount, kind, options string
}

// hierarchies returns this machine's hierarchies below /sys/fs/cgroup.
func hierarchies() ([]hierarchy, error) {
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, err
	}
	var all []hierarchy
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[2] != "cgroup" && f[2] != "cgroup2" || !strings.HasPrefix(f[1], "/sys/fs/cgroup") || seen[f[1]] {
			continue
		}
		seen[f[1]] = true
		h := hierarchy{mount: f[1], kind: f[2]}
		if h.kind == "cgroup" {
			var which []string
			for _, o := range strings.Split(f[3], ",") {
				switch o {
				case "rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "seclabel":
				default:
					if strings.HasPrefix(o, "name=") {
						o = "none," + o
					}
					which = append(which, o)
				}
			}
			h.options = strings.Join(which, ",")
		}
		all = append(all, h)
	}
	if len(all) == 0 {
		return nil, errors.New("no control groups are mounted below /sys/fs/cgroup")
	}
	return all, nil
}

// enter creates the machine's group and moves this process into it.
func (h hierarchy) enter(name string) error {
	dir := filepath.Join(h.mount, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // of version 1; these begin empty
		b, err := os.ReadFile(filepath.Join(h.mount, file))
		if h.kind != "cgroup" || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, file), b, 0)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0)
}

// mountCgroups mounts the machine's own groups as the roots.
func mountCgroups(all []hierarchy) error {
	if all[0].mount != "/sys/fs/cgroup" {
		if err := unix.Mount("cgroup", "/sys/fs/cgroup", "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	for _, h := range all {
		if err := os.MkdirAll(h.mount, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(h.kind, h.mount, h.kind, 0, h.options); err != nil {
			return fmt.Errorf("mount %s %s: %w", h.mount, h.options, err)
		}
	}
	if all[0].mount != "/sys/fs/cgroup" {
		return nil
	}
	// With version 2 alone, a group that delegates controllers has no processes of its
	// own.
	const first = "/sys/fs/cgroup/init"
	if err := os.Mkdir(first, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(first+"/cgroup.procs", []byte("0"), 0); err != nil {
		return err
	}
	have, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(have)) {
		if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+"+c), 0); err != nil {
			return err
		}
	}
	return nil
}

// remove removes the machine's groups. Their processes have ended.
func (h hierarchy) remove(name string) error {
	dir := filepath.Join(h.mount, name)
	var below []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			below = append(below, path)
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := len(below) - 1; i >= 0; i-- {
		if err := unix.Rmdir(below[i]); err != nil {
			return fmt.Errorf("%s: %w", below[i], err)
		}
	}
	return nil
}
