package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ashore/ashore/internal/hint"
)

// logLimit is the size at which a start moves the log aside.
const logLimit = 10 << 20

// Start is a process to be started.
type Start struct {
	Process string // its name: of its log and pid file
	Binary  string
	Args    []string
	Env     []string      // besides our own
	Limit   time.Duration // until it is ready
}

// Spawn starts a process of its own: in its own session, with its output in the
// process's log. It returns once the process says in its pid file that it is
// ready; one that ends or takes longer than the limit is an error with the end
// of its log, and leaves no process behind.
func Spawn(ctx context.Context, l Layout, s Start) (Process, error) {
	process, limit := s.Process, s.Limit
	logFile, err := openLog(l.Log(process))
	if err != nil {
		return Process{}, err
	}
	defer logFile.Close()
	from, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		return Process{}, err
	}
	cmd := exec.Command(s.Binary, s.Args...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return Process{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the process, or with us

	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not ready after %s", limit))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return Process{}, failure(l, process, from, fmt.Errorf("it ended: %w", orExited(err)))
		case <-ctx.Done():
			cause := context.Cause(ctx)
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				cause = errors.Join(cause, err)
			}
			<-ended
			return Process{}, failure(l, process, from, cause)
		case <-tick.C:
			p, running, err := Running(l.PID(process))
			if err == nil && running && p.Ready && p.PID == cmd.Process.Pid {
				return p, nil
			}
		}
	}
}

func orExited(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func openLog(path string) (*os.File, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// failure is the error of a process that did not come up. Where the process
// printed an error and a hint of its own, those are it; else its last lines.
func failure(l Layout, process string, from int64, cause error) error {
	said := tail(l.Log(process), from)
	if _, after, ok := strings.Cut("\n"+said, "\nerror: "); ok {
		message, advice, _ := strings.Cut(after, "\nhint: ")
		err := fmt.Errorf("the %s did not start: %s", process, strings.TrimSpace(message))
		if advice = strings.TrimSpace(advice); advice != "" {
			return hint.With(err, "%s", advice)
		}
		return err
	}
	if said != "" {
		cause = fmt.Errorf("%w; its last words:\n%s", cause, said)
	}
	return hint.With(fmt.Errorf("the %s did not start: %w", process, cause), "all it said is in %s", l.Log(process))
}

func tail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		from = max(from, info.Size()-4096)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, 4096))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
