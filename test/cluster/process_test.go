//go:build linux

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/ashore/ashore/test/cluster/lan"
)

// process is a program at a place. It can be killed and restarted.
type process struct {
	name  string
	place *lan.Place
	env   []string
	argv  []string
	log   string // a file

	cmd *exec.Cmd
}

// newProcess prepares a process of the test binary in a role.
func newProcess(dir, name string, place *lan.Place, r role) (*process, error) {
	spec, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	return &process{
		name: name, place: place, log: filepath.Join(dir, name+".log"),
		env: []string{roleEnv + "=" + string(spec)}, argv: []string{exe},
	}, err
}

func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// Not with the test's context: it would kill the process before the clean-up can
	// read from it.
	cmd := p.place.Command(p.argv[0], p.argv[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no process outlives this one
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.cmd = cmd
	return nil
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill kills it with SIGKILL and waits for its end.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	// Both only report that it has ended, as it should.
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}
