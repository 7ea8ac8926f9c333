package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// dirLock keeps other processes out of a data directory. The kernel releases it when
// the process ends in any way.
type dirLock struct {
	file *os.File
	run  *os.File // the folder of the sockets, if its path is too long for a socket
}

// HeldError says that another process uses a data directory.
type HeldError struct {
	Dir string
	PID string // the process id in the lock file; may be empty
}

func (e *HeldError) Error() string {
	holder := "another process"
	if e.PID != "" {
		holder = "process " + e.PID
	}
	return fmt.Sprintf("data directory %s is in use by %s: an Ashore server runs on it already", e.Dir, holder)
}

func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(dir+"/lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	locked, err := lockFile(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	if locked {
		pid, err := io.ReadAll(io.LimitReader(f, 32))
		return nil, errors.Join(&HeldError{dir, string(bytes.TrimSpace(pid))}, err, f.Close())
	}
	l := &dirLock{file: f}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close releases the lock.
func (l *dirLock) Close() error {
	var err error
	if l.run != nil {
		err = l.run.Close()
	}
	return errors.Join(err, l.file.Close())
}

// maxSocketPath is the longest path of a unix socket in bytes: 108 in Linux's
// sockaddr_un, 104 elsewhere, with a zero at the end.
const maxSocketPath = 103

// shortPath returns a path of the folder that is short enough for sockets in it. If the
// folder's own path is too long, it is the path under which the kernel shows our open
// descriptor.
func (l *dirLock) shortPath(run string) string {
	short, f := shortPath(run)
	l.run = f
	return short
}

// shortPath returns that path and the descriptor that must stay open. The descriptor is
// nil if none is needed, or if none can help.
func shortPath(run string) (string, *os.File) {
	if len(run)+1+len(socketName) <= maxSocketPath {
		return run, nil
	}
	f, err := os.Open(run)
	if err != nil {
		return run, nil
	}
	short := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	if _, err := os.Stat(short); err != nil {
		f.Close()
		return run, nil
	}
	return short, f
}
