package etcdtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Process is the test binary, started again as something else: its TestMain
// looks for the variable Env, does what Value says, calls Ready once it serves
// and Hold to end with its parent.
type Process struct {
	Env, Value string
	Log        string // file that its standard error is appended to

	cmd  *exec.Cmd
	hold *os.File // the process ends when this closes, so it never outlives us
}

const ready = "ready "

// Ready tells the parent process that this one serves, and where.
func Ready(where string) { fmt.Println(ready + where) }

// Hold returns when the parent process has ended.
func Hold() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// PID is that of the running process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process as kill -9 does and waits for its end.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	// Both report only that it has ended, which is what is wanted.
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.hold.Close()
	p.cmd = nil
}

// Start runs the process, again where it ran before, and returns where it
// serves.
func (p *Process) Start() (where string, err error) {
	p.Kill()
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), p.Env+"="+p.Value)
	stdin, hold, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		hold.Close()
		return "", err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		hold.Close()
		return "", err
	}
	if err := cmd.Start(); err != nil {
		hold.Close()
		return "", err
	}
	p.cmd, p.hold = cmd, hold
	line, err := bufio.NewReader(out).ReadString('\n')
	where, ok := strings.CutPrefix(strings.TrimSpace(line), ready)
	if err != nil || !ok {
		p.Kill()
		said, rerr := os.ReadFile(p.Log)
		return "", fmt.Errorf("the process did not start (%v): %s (%v)", err, said, rerr)
	}
	return where, nil
}
