package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/sim"
	"github.com/ashore/ashore/test/installation"
)

// scaled is a server and a fleet of simulated hosts, each in a process on this machine,
// and an administrator's client.
type scaled struct {
	binary  string
	dir     string // on a disk
	run     string // short, because it has the fleet's socket
	hosts   int
	server  *process
	fleet   *process
	layout  local.Layout
	client  *client.Client
	control *http.Client
}

// process is the server's or the fleet's process.
type process struct {
	cmd   *exec.Cmd
	log   *os.File
	pprof string // address of its profiles
	done  chan error
}

// begin starts both processes and waits until every host is connected.
func (s *scaled) begin(ctx context.Context) (joined time.Duration, err error) {
	if err := onDisk(s.dir); err != nil {
		return 0, err
	}
	env, err := local.ThisEnv()
	if err != nil {
		return 0, err
	}
	if s.layout, err = local.NewLayout(env, filepath.Join(s.dir, "data")); err != nil {
		return 0, err
	}
	s.server, err = s.start("server", "server", "--listen", "127.0.0.1:0", "--log-level", "error")
	if err != nil {
		return 0, err
	}
	if err := s.await(ctx, s.server, func() (bool, error) {
		p, running, err := local.Running(s.layout.PID("server"))
		return running && p.Ready, err
	}); err != nil {
		return 0, err
	}
	admin, err := local.ReadAdmin(s.layout)
	if err != nil {
		return 0, err
	}
	s.client = client.New(admin)
	sock := filepath.Join(s.run, "fleet.sock")
	s.control = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", sock)
	}}}
	began := time.Now()
	s.fleet, err = s.start("fleet", "sim", "--hosts", strconv.Itoa(s.hosts), "--zones", "3", "--cpus", "64", "--memory", "262144",
		"--control", sock, "--every", "1h", "--seed", "1")
	if err != nil {
		return 0, err
	}
	err = s.await(ctx, s.fleet, func() (bool, error) {
		st, err := s.stats(ctx)
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
			return false, nil // it does not serve yet
		}
		return err == nil && st.Connected == s.hosts, err
	})
	return time.Since(began), err
}

// onDisk refuses a folder in memory, where a sync costs nothing.
func onDisk(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err
	}
	const tmpfs = 0x01021994
	if st.Type == tmpfs {
		return fmt.Errorf("%s is on a tmpfs: name a folder on a disk by -dir", dir)
	}
	return nil
}

func (s *scaled) start(name string, args ...string) (*process, error) {
	pprof, err := installation.FreeAddress()
	if err != nil {
		return nil, err
	}
	p := &process{pprof: pprof, done: make(chan error, 1)}
	if p.log, err = os.Create(filepath.Join(s.dir, name+".log")); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(s.binary, append(args, "--data-dir", s.layout.Data, "--pprof", pprof)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(os.Environ(), "ASHORE_SEAL_KEY="+filepath.Join(s.dir, "seal.key"))
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, p.log.Close())
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// await waits for a condition. It returns an error if the process ends first.
func (s *scaled) await(ctx context.Context, p *process, met func() (bool, error)) error {
	for {
		ok, err := met()
		if ok || err != nil {
			return err
		}
		select {
		case err := <-p.done:
			p.done <- err
			tail, _ := os.ReadFile(p.log.Name()) // only for the message
			return fmt.Errorf("%s ended: %v: %s", p.cmd.Path, err, tail[max(0, len(tail)-2000):])
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end stops both processes.
func (s *scaled) end() error {
	if s.client != nil {
		s.client.Close()
	}
	var errs []error
	for _, p := range []*process{s.fleet, s.server} {
		if p == nil {
			continue
		}
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		errs = append(errs, <-p.done, p.log.Close())
	}
	return errors.Join(errs...)
}

// cpu returns the CPU time of the process so far, in user and kernel mode.
func (p *process) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may have spaces. The times are the 14th and 15th fields.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	const hertz = 100 // of /proc, on every architecture that Go runs on
	return time.Duration(user+system) * time.Second / hertz, errors.Join(err1, err2)
}

func (p *process) memory() (memory, error) { return memoryOf(p.cmd.Process.Pid) }

// heap returns the live heap in MB after a collection.
func (p *process) heap(ctx context.Context) (float64, error) {
	b, err := p.get(ctx, "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "# HeapAlloc = "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return n / 1e6, err
		}
	}
	return 0, errors.New("the heap profile has no HeapAlloc")
}

// profile writes a CPU profile of the next seconds.
func (p *process) profile(ctx context.Context, path string, seconds int) error {
	b, err := p.get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds))
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

func (p *process) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.pprof+path, nil)
	if err != nil {
		return nil, err
	}
	return answerOf(http.DefaultClient.Do(req))
}

func answerOf(res *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, b)
	}
	return b, err
}

// stats returns the fleet's statistics.
func (s *scaled) stats(ctx context.Context) (st sim.Stats, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://fleet/v1/stats", nil)
	if err != nil {
		return st, err
	}
	b, err := answerOf(s.control.Do(req))
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(b, &st)
}

// cutOff cuts hosts off from the server.
func (s *scaled) cutOff(ctx context.Context, hosts int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://fleet/v1/lose", strings.NewReader(fmt.Sprintf(`{"hosts":%d}`, hosts)))
	if err != nil {
		return err
	}
	_, err = answerOf(s.control.Do(req))
	return err
}

// database returns the size of etcd's file in MB.
func (s *scaled) database() (float64, error) {
	var size int64
	err := filepath.WalkDir(s.layout.Server(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "db" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return float64(size) / 1e6, err
}
