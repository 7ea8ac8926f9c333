package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/ashore/ashore/internal/hint"
)

// Start describes a process to start.
type Start struct {
	Process string // the process's name, which its log and pid file have
	Binary  string
	Args    []string
	Dir     string        // working directory; "/" unless set
	Env     []string      // in addition to our own
	Limit   time.Duration // how long it may take to become ready
	Unready bool          // it need not become ready, but only lock its pid file
}

// launched is a process that was started.
type launched struct {
	cmd   *exec.Cmd
	from  int64      // offset in its log at which its output begins
	ended chan error // receives the process's result
}

// launch starts a process in a session of its own. Its output goes to its log.
func launch(l Layout, s Start) (*launched, error) {
	logFile, err := openLog(l.Log(s.Process))
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	from, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.Binary, s.Args...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Dir = cmp.Or(s.Dir, "/")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &launched{cmd: cmd, from: from, ended: make(chan error, 1)}
	go func() { c.ended <- cmd.Wait() }() // ends with the process, or with this one
	return c, nil
}

// kill kills the process and waits for it.
func (c *launched) kill() error {
	err := c.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-c.ended
	return err
}

// Spawn starts a process in a session of its own. Its output goes to its log. Spawn
// returns when the process has written into its pid file that it is ready. If s.Unready
// is set, it returns when the process has locked the file. If the process ends, or
// exceeds the limit, Spawn returns an error with the end of the log. No process stays
// then.
func Spawn(ctx context.Context, l Layout, s Start) (Process, error) {
	process, limit := s.Process, s.Limit
	c, err := launch(l, s)
	if err != nil {
		return Process{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not ready after %s", limit))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-c.ended:
			return Process{}, processError(l, process, c.from, "did not start", fmt.Errorf("it ended: %w", exitError(err)))
		case <-ctx.Done():
			cause := context.Cause(ctx)
			if err := c.kill(); err != nil {
				cause = errors.Join(cause, err)
			}
			return Process{}, processError(l, process, c.from, "did not start", cause)
		case <-tick.C:
			p, running, err := Running(l.PID(process))
			if err == nil && running && (p.Ready || s.Unready) && p.PID == c.cmd.Process.Pid {
				return p, nil
			}
		}
	}
}

func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// processError returns the error of a process that did not start, or that has ended.
// what says which. If the process printed an error and a hint, they are the error and
// the hint. Otherwise the error has the last lines of the log.
func processError(l Layout, process string, from int64, what string, cause error) error {
	output := tail(l.Log(process), from)
	if _, after, ok := strings.Cut("\n"+output, "\nerror: "); ok {
		message, advice, _ := strings.Cut(after, "\nhint: ")
		err := fmt.Errorf("the %s %s: %s", process, what, strings.TrimSpace(message))
		if advice = strings.TrimSpace(advice); advice != "" {
			return hint.With(err, "%s", advice)
		}
		return err
	}
	if output != "" {
		cause = fmt.Errorf("%w; its last words:\n%s", cause, output)
	}
	return hint.With(fmt.Errorf("the %s %s: %w", process, what, cause), "all it said is in %s", l.Log(process))
}

func tail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		if from > info.Size() { // the log was rotated since
			from = 0
		}
		from = max(from, info.Size()-4096)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, 4096))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
