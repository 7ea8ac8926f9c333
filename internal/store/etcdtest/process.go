package etcdtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Process is the test binary, started again with another task. Its TestMain reads the
// variable Env, performs the task that Value names, calls Ready when it serves, and
// calls WaitForParent to end with its parent.
type Process struct {
	Env, Value string
	Log        string // file to which its standard error is appended

	cmd        *exec.Cmd
	parentPipe *os.File // the process ends when this closes, so it never outlives its parent
}

const ready = "ready "

// Ready tells the parent process that this process serves, and where.
func Ready(where string) { fmt.Println(ready + where) }

// WaitForParent waits until the parent process has ended.
func WaitForParent() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// PID returns the id of the running process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill kills the process with SIGKILL and waits for its end.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	// Both only report that it has ended, as it should.
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.parentPipe.Close()
	p.cmd = nil
}

// Start starts the process, and kills it first if it runs. It returns the address at
// which the process serves.
func (p *Process) Start() (where string, err error) {
	p.Kill()
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), p.Env+"="+p.Value)
	stdin, pipe, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		pipe.Close()
		return "", err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		pipe.Close()
		return "", err
	}
	if err := cmd.Start(); err != nil {
		pipe.Close()
		return "", err
	}
	p.cmd, p.parentPipe = cmd, pipe
	line, err := bufio.NewReader(out).ReadString('\n')
	where, ok := strings.CutPrefix(strings.TrimSpace(line), ready)
	if err != nil || !ok {
		p.Kill()
		output, rerr := os.ReadFile(p.Log)
		return "", fmt.Errorf("the process did not start (%v): %s (%v)", err, output, rerr)
	}
	return where, nil
}
