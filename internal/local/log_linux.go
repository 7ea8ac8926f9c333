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
	// logLimit is the size in bytes at which a log is rotated. logsKept is how many old
	// logs are kept. Together they are some 50 MB.
	logLimit = 10 << 20
	logsKept = 4
)

// LogWriter returns the writer for a process's log lines. out is the process's standard
// error. If out is the process's log file, as after Spawn, the writer rotates the file
// whenever it is full.
func LogWriter(l Layout, process string, out *os.File) io.Writer {
	return logWriter(l.Log(process), out, logLimit)
}

func logWriter(path string, out *os.File, limit int64) io.Writer {
	if !isSameFile(path, out) {
		return out
	}
	return &logFile{path: path, out: out, limit: limit}
}

// logFile writes to a descriptor of the log file. After a rotation it makes the
// descriptor refer to the new file.
type logFile struct {
	path  string
	out   *os.File
	limit int64

	mu sync.Mutex
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Others write to the file, too: a panicking runtime, or a library.
	if info, err := l.out.Stat(); err == nil && info.Size() > 0 && info.Size()+int64(len(p)) > l.limit {
		if err := l.rotate(); err != nil {
			// The size limit holds even then, at the price of the old lines.
			err = errors.Join(err, l.out.Truncate(0))
			fmt.Fprintf(l.out, "time=? level=WARN msg=\"the log can't be moved aside and begins anew\" err=%q\n", err)
		}
	}
	return l.out.Write(p)
}

// rotate rotates the log and makes our descriptors refer to the new file.
func (l *logFile) rotate() error {
	if !isSameFile(l.path, l.out) { // another process has rotated it
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

// isSameFile says whether a descriptor refers to the file at a path.
func isSameFile(path string, f *os.File) bool {
	a, err1 := os.Stat(path)
	b, err2 := f.Stat()
	return err1 == nil && err2 == nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

// rotateLogs renames LOG to LOG.1, LOG.1 to LOG.2 and so on, and removes the oldest.
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

// openLog opens a process's log for writing.
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
