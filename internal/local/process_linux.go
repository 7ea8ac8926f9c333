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

// Process is what a running server or agent says of itself in its pid file.
// The file is held by flock as long as the process lives, so a file left behind
// by a killed one is known for what it is, whoever has its pid now.
type Process struct {
	PID      int    `json:"pid"`
	Version  string `json:"version"`
	Ready    bool   `json:"ready"`
	Endpoint string `json:"endpoint,omitempty"`
	// Unable says why it takes no changes at the moment.
	Unable string `json:"unable,omitempty"`
	// Args and Dir are how it was started, so that it can be started again.
	Args []string `json:"args,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}

// ErrRunning is Claim's error where another process holds the file.
var ErrRunning = errors.New("already running")

// Claim is a held pid file. What is written into it goes over what was there, so
// that it needs no room on a full disk.
type Claim struct {
	f        *os.File
	readOnly bool // its disk is
}

// claimSize is what is always written: the file keeps its blocks.
const claimSize = 4096

// TakeClaim holds the pid file for this process.
func TakeClaim(ctx context.Context, path string) (*Claim, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	readOnly := errors.Is(err, syscall.EROFS)
	if readOnly {
		// It can be locked all the same, or where it is not there, its folder.
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
	// What a killed process said goes, and room is taken for what this one will say.
	if err := c.write(nil); err != nil && !IsUnwritable(err) {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// IsUnwritable says that the error is one of writing into a claim's file, which is
// held all the same: its disk is full, or mounted read-only.
func IsUnwritable(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// lockTimeout is how long alone lets others look at the file, each of which takes
// microseconds.
const lockTimeout = 10 * time.Second

// lockExclusive locks a file that nobody else holds. Whoever looks whether it is held
// shares it for a moment: only one that can't be shared either is held.
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

// WriteProcess writes the process's state into its file.
func (c *Claim) WriteProcess(p Process) error {
	p.PID = os.Getpid()
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return c.write(b)
}

// write puts a text into the file, and blanks behind it.
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

// Release lets the file go; it stays in place, since removing a locked file
// would let two processes hold "the" file.
func (c *Claim) Release() error {
	err := c.write(nil)
	if IsUnwritable(err) {
		err = nil // nobody believes what it says without a lock
	}
	return errors.Join(err, c.f.Close())
}

// Running says whether a process holds the pid file, and what it says of
// itself (nothing yet, just after its start).
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
		p = Process{} // read between two writes: it runs and says nothing yet
	}
	return p, true, nil
}

// AwaitReady waits until the process that holds the pid file is ready.
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

// Stop asks the process that holds the pid file to end, and ends it hard once
// grace is over. It returns when the process has let go of the file.
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

// hasOpen says whether the process has the file open. The pid in a file is an old
// one for the moment between its new holder's lock and first word.
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
