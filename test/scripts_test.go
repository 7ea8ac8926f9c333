package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// stubs is a machine of stub commands. Each command appends its call to a log and runs
// a line of shell.
type stubs struct {
	*testing.T
	dir string
}

func newStubs(t *testing.T) stubs {
	s := stubs{t, t.TempDir()}
	// Nothing else of this machine can be reached, in particular not its daemon.
	for _, tool := range []string{"sh", "cat", "chmod", "date", "dirname", "env", "grep", "id", "setsid", "sleep", "tail", "touch", "rm"} {
		real, err := exec.LookPath(tool)
		if err == nil {
			err = os.Symlink(real, filepath.Join(s.dir, tool))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.command("sudo", `while [ "$1" = -n ]; do shift; done; exec "$@"`)
	s.command("service", "exit 1")
	s.command("systemctl", "exit 1")
	s.command("cgroupfs-mount", "")
	s.command("ashore", `[ -e "$DIR/answers" ]`)
	return s
}

func (s stubs) command(name, body string) {
	s.Helper()
	text := "#!/bin/sh\necho " + name + " \"$@\" >> \"$DIR/calls\"\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o755); err != nil {
		s.Fatal(err)
	}
}

func (s stubs) run(script string, env ...string) (out string, err error) {
	cmd := exec.Command("/bin/sh", filepath.Join("..", "scripts", script))
	cmd.Env = append([]string{"PATH=" + s.dir, "SBIN_DIRS=", "DIR=" + s.dir,
		"ASHORE=" + s.dir + "/ashore", "DOCKERD_LOG=" + s.dir + "/dockerd.log", "RUN_DIR=" + s.dir + "/run"}, env...)
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func (s stubs) calls() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "calls"))
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

func TestEnsureEngineDoesNothingWhereOneAnswers(t *testing.T) {
	s := newStubs(t)
	s.command("ashore", "")
	if out, err := s.run("ensure-engine.sh"); err != nil || out != "" || s.calls() != "ashore engine\n" {
		t.Errorf("%v, %q, calls:\n%s", err, out, s.calls())
	}
}

func TestEnsureEngineInstallsAndStarts(t *testing.T) {
	s := newStubs(t)
	s.command("apt-get", `case "$*" in *install*docker.io*) printf '#!/bin/sh\necho dockerd >> "$DIR/calls"; touch "$DIR/answers"\n' > "$DIR/dockerd"; chmod +x "$DIR/dockerd" ;; esac`)
	for range 2 {
		if out, err := s.run("ensure-engine.sh"); err != nil {
			t.Fatalf("%v\n%s\ncalls:\n%s", err, out, s.calls())
		}
	}
	calls := s.calls()
	for _, want := range []string{"update\n", "docker.io", "\ndockerd\n"} {
		if strings.Count(calls, want) != 1 {
			t.Errorf("%q is not once in the calls:\n%s", want, calls)
		}
	}
}

// A killed daemon leaves pid files with the id of a dead process, or of another process
// by now. Neither may prevent the next start.
func TestEnsureEngineDropsStalePids(t *testing.T) {
	s := newStubs(t)
	s.command("dockerd", `touch "$DIR/answers"`)
	stale := []string{filepath.Join(s.dir, "run/docker.pid"), filepath.Join(s.dir, "run/docker/containerd/containerd.pid")}
	if err := os.MkdirAll(filepath.Dir(stale[1]), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range stale {
		if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.run("ensure-engine.sh"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range stale {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", path, err)
		}
	}
}

func TestEnsureEngineSaysWhatIsWrong(t *testing.T) {
	s := newStubs(t)
	out, err := s.run("ensure-engine.sh", "DOCKER_HOST=tcp://127.0.0.1:9")
	if err == nil || !strings.Contains(out, "error: no engine answers at DOCKER_HOST=tcp://127.0.0.1:9\nhint: ") {
		t.Errorf("%v, %s", err, out)
	}
	if out, err = s.run("ensure-engine.sh", "ASHORE=/no/such/ashore"); err == nil || !strings.Contains(out, "hint: run make build first") {
		t.Errorf("%v, %s", err, out)
	}
}

func TestEnsureTestToolsInstallsOnlyWhatIsMissing(t *testing.T) {
	s := newStubs(t)
	for _, tool := range []string{"gcc", "curl", "bash", "dash", "ip", "nft", "mkfs.ext4", "docker"} {
		s.command(tool, "")
	}
	s.command("apt-get", `case "$*" in *install*awscli*) printf '#!/bin/sh\n' > "$DIR/aws"; chmod +x "$DIR/aws" ;; esac`)
	for range 2 {
		if out, err := s.run("ensure-test-tools.sh"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if calls := s.calls(); strings.Count(calls, "install awscli\n") != 1 || strings.Contains(calls, "gcc") {
		t.Errorf("calls:\n%s", calls)
	}
}
