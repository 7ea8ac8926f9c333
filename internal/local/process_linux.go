package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ashore/ashore/internal/pace"
)

// Process is what a running server or agent writes about itself into its pid file. The
// process locks the file by flock as long as it lives. So the file of a killed process
// is recognised, even if another process now has its pid.
type Process struct {
	PID      int    `json:"pid"`
	Version  string `json:"version"`
	Ready    bool   `json:"ready"`
	Endpoint string `json:"endpoint,omitempty"`
	// Unable says why the process accepts no changes at the moment.
	Unable string `json:"unable,omitempty"`
	// Args and Dir say how the process was started, so that it can be restarted.
	Args []string `json:"args,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}

// ErrRunning is TakeClaim's error if another process has locked the file.
var ErrRunning = errors.New("already running")

// Claim is a locked pid file. Writes overwrite the old content, so they need no free
// space on a full disk.
type Claim struct {
	f        *os.File
	readOnly bool // its disk is read-only
}

// claimSize is the smallest size of the file in bytes. The file keeps its disk blocks.
const claimSize = 4096

// TakeClaim locks the pid file for this process.
func TakeClaim(ctx context.Context, path string) (*Claim, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	readOnly := errors.Is(err, syscall.EROFS)
	if readOnly {
		// A read-only file can still be locked. If it does not exist, its folder can.
		if f, err = os.Open(path); errors.Is(err, fs.ErrNotExist) {
			f, err = os.Open(filepath.Dir(path))
		}
	}
	if err != nil {
		return nil, err
	}
	if err := lockExclusive(ctx, f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	c := &Claim{f, readOnly}
	// Clear the text of a killed process, and allocate space for this one's text.
	if err := c.write(nil); err != nil && !IsUnwritable(err) {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// IsUnwritable says that an error comes from a write into a claim's file. The file
// stays locked then: its disk is full, or mounted read-only.
func IsUnwritable(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// lockTimeout is how long lockExclusive retries while other processes check the file. A
// check takes microseconds.
const lockTimeout = 10 * time.Second

// lockExclusive locks a file unless another process has locked it. A process that
// checks the file takes a shared lock for a moment. So the file counts as locked only
// if a shared lock fails, too.
func lockExclusive(ctx context.Context, f *os.File) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, errors.New("is being looked at all the time"))
	defer cancel()
	fd := int(f.Fd())
	for {
		err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		switch err := syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB); {
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrRunning
		case err != nil:
			return err
		}
		if err := syscall.Flock(fd, syscall.LOCK_UN); err != nil {
			return err
		}
		if pace.Sleep(ctx, pace.About(time.Millisecond)) != nil {
			return context.Cause(ctx)
		}
	}
}

// WriteProcess writes the process's state into the file.
func (c *Claim) WriteProcess(p Process) error {
	p.PID = os.Getpid()
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return c.write(b)
}

// write writes a text into the file and fills the rest with blanks.
func (c *Claim) write(text []byte) error {
	if c.readOnly {
		return &os.PathError{Op: "write", Path: c.f.Name(), Err: syscall.EROFS}
	}
	info, err := c.f.Stat()
	if err != nil {
		return err
	}
	b := bytes.Repeat([]byte{' '}, max(claimSize, len(text)+1, int(info.Size())))
	copy(b, text)
	b[len(b)-1] = '\n'
	_, err = c.f.WriteAt(b, 0)
	return err
}

// Release unlocks the file. The file stays: after a removal of a locked file, two
// processes could lock "the" file.
func (c *Claim) Release() error {
	err := c.write(nil)
	if IsUnwritable(err) {
		err = nil // a text without a lock does not count
	}
	return errors.Join(err, c.f.Close())
}

// Running says whether a process has locked the pid file. p is what the process has
// written there, which is nothing yet just after its start.
func Running(path string) (p Process, running bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return p, false, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return p, false, fmt.Errorf("lock %s: %w", path, err)
	}
	b := make([]byte, 16*claimSize)
	n, _ := f.ReadAt(b, 0)
	if json.Unmarshal(b[:n], &p) != nil {
		p = Process{} // a write was under way: the process runs, and its text is unknown
	}
	return p, true, nil
}

// AwaitReady waits until the process of the pid file is ready. It fails after limit.
func AwaitReady(ctx context.Context, path string, limit time.Duration) (Process, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the process of %s is not ready after %s", path, limit))
	defer cancel()
	for {
		p, running, err := Running(path)
		switch {
		case err != nil:
			return p, err
		case !running:
			return p, fmt.Errorf("the process of %s ended", path)
		case p.Ready:
			return p, nil
		}
		if pace.Sleep(ctx, 20*time.Millisecond) != nil {
			return p, context.Cause(ctx)
		}
	}
}

// Stop sends SIGTERM to the process of the pid file, and SIGKILL after grace. It
// returns when the process has unlocked the file.
func Stop(ctx context.Context, path string, grace time.Duration) (stopped bool, err error) {
	deadline := time.Now().Add(grace)
	signalled := 0
	sig := syscall.SIGTERM
	for {
		p, running, err := Running(path)
		if err != nil || !running {
			return stopped, err
		}
		if hasOpen(p.PID, path) {
			if signalled == 0 || sig == syscall.SIGTERM && time.Now().After(deadline) {
				if signalled > 0 {
					sig = syscall.SIGKILL
				}
				if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
					return stopped, fmt.Errorf("stop process %d: %w", p.PID, err)
				}
				signalled, stopped = p.PID, true
			}
		}
		if time.Now().After(deadline.Add(10 * time.Second)) {
			return stopped, fmt.Errorf("process %d still holds %s", p.PID, path)
		}
		if pace.Sleep(ctx, 20*time.Millisecond) != nil {
			return stopped, context.Cause(ctx)
		}
	}
}

// hasOpen says whether the process has the file open. Between the lock of a new process
// and its first write, the pid in the file is an old one.
func hasOpen(pid int, path string) bool {
	if pid <= 1 {
		return false
	}
	want, err := os.Stat(path)
	if err != nil {
		return false
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return false
	}
	for _, f := range files {
		if got, err := os.Stat(f); err == nil && os.SameFile(got, want) {
			return true
		}
	}
	return false
}
