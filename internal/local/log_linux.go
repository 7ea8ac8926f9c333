package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	// logLimit is the size at which a log is moved aside, and logsKept how many of
	// those are kept: all of them together are some 50 MB.
	logLimit = 10 << 20
	logsKept = 4
)

// LogWriter returns where a process writes its lines: out, its standard error. Where
// that is the process's log, as for one that Spawn has started, the log is moved
// aside whenever it has grown.
func LogWriter(l Layout, process string, out *os.File) io.Writer {
	return logWriter(l.Log(process), out, logLimit)
}

func logWriter(path string, out *os.File, limit int64) io.Writer {
	if !isSameFile(path, out) {
		return out
	}
	return &logFile{path: path, out: out, limit: limit}
}

// logFile writes to a descriptor that shows the log, and has it show the next one.
type logFile struct {
	path  string
	out   *os.File
	limit int64

	mu sync.Mutex
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Others write to it too: the runtime that panics, a library.
	if info, err := l.out.Stat(); err == nil && info.Size() > 0 && info.Size()+int64(len(p)) > l.limit {
		if err := l.rotate(); err != nil {
			// No more than there may be, then at the price of the old lines.
			err = errors.Join(err, l.out.Truncate(0))
			fmt.Fprintf(l.out, "time=? level=WARN msg=\"the log can't be moved aside and begins anew\" err=%q\n", err)
		}
	}
	return l.out.Write(p)
}

// rotate moves the log aside and has the descriptors that showed it show a new one.
func (l *logFile) rotate() error {
	if !isSameFile(l.path, l.out) { // somebody else has moved it
		return l.reopen()
	}
	if err := rotateLogs(l.path); err != nil {
		return err
	}
	return l.reopen()
}

func (l *logFile) reopen() error {
	next, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer next.Close()
	before, err := l.out.Stat()
	if err != nil {
		return err
	}
	for _, shown := range []*os.File{os.Stdout, os.Stderr, l.out} {
		info, err := shown.Stat()
		if err != nil || !os.SameFile(before, info) {
			continue
		}
		if err := syscall.Dup3(int(next.Fd()), int(shown.Fd()), 0); err != nil {
			return fmt.Errorf("dup: %w", err)
		}
	}
	return nil
}

// isSameFile says whether a descriptor shows the file of a name.
func isSameFile(path string, f *os.File) bool {
	a, err1 := os.Stat(path)
	b, err2 := f.Stat()
	return err1 == nil && err2 == nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

// rotateLogs makes room for a log: LOG becomes LOG.1, that LOG.2, and the oldest goes.
func rotateLogs(path string) error {
	for n := logsKept; n > 0; n-- {
		from := path
		if n > 1 {
			from = fmt.Sprint(path, ".", n-1)
		}
		if err := os.Rename(from, fmt.Sprint(path, ".", n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// openLog opens a process's log to be written to.
func openLog(path string) (*os.File, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := rotateLogs(path); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}
