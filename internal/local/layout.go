// Package local manages an installation's files and processes on this machine.
//
//	DATA/                     /var/lib/ashore as root, else the user's data folder, or --data-dir
//	├ admin.json              0600  where the API is, and the administrator's key
//	├ server/                 the store
//	├ agent/                  journal, config.json, credentials.json (0600), run/agent.sock
//	├ log/                    server.log, agent.log; .1 to .4 are older: each is moved aside at 10 MiB
//	└ run/                    server.pid, agent.pid, up.lock: held by flock while the process lives
//
// The key that seals secrets lies outside DATA, so that a copy of DATA alone reveals no
// secret.
package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Layout has the paths of an installation's files. It is constant after NewLayout.
type Layout struct {
	Data     string
	sealRoot string
}

// Env is the part of the environment that a layout depends on. Tests set it.
type Env struct {
	Root   bool
	Getenv func(string) string
	Home   string
}

// ThisEnv returns this process's Env.
func ThisEnv() (Env, error) {
	home, err := os.UserHomeDir()
	if err != nil && os.Geteuid() != 0 {
		return Env{}, fmt.Errorf("find the home folder: %w", err)
	}
	return Env{Root: os.Geteuid() == 0, Getenv: os.Getenv, Home: home}, nil
}

// NewLayout finds the folders. dataDir is the user's choice, or empty.
func NewLayout(e Env, dataDir string) (Layout, error) {
	l := Layout{Data: dataDir, sealRoot: "/etc/ashore/seal"}
	if !e.Root {
		config := e.Getenv("XDG_CONFIG_HOME")
		if config == "" {
			config = filepath.Join(e.Home, ".config")
		}
		l.sealRoot = filepath.Join(config, "ashore", "seal")
	}
	if l.Data == "" {
		switch {
		case e.Root:
			l.Data = "/var/lib/ashore"
		case runtime.GOOS == "windows" && e.Getenv("LOCALAPPDATA") != "":
			l.Data = filepath.Join(e.Getenv("LOCALAPPDATA"), "ashore")
		case e.Getenv("XDG_DATA_HOME") != "":
			l.Data = filepath.Join(e.Getenv("XDG_DATA_HOME"), "ashore")
		default:
			l.Data = filepath.Join(e.Home, ".local", "share", "ashore")
		}
	}
	abs, err := filepath.Abs(l.Data)
	if err != nil {
		return Layout{}, err
	}
	l.Data = abs
	return l, nil
}

func (l Layout) Admin() string            { return filepath.Join(l.Data, "admin.json") }
func (l Layout) Server() string           { return filepath.Join(l.Data, "server") }
func (l Layout) Agent() string            { return filepath.Join(l.Data, "agent") }
func (l Layout) AgentConfig() string      { return filepath.Join(l.Agent(), "config.json") }
func (l Layout) AgentCredentials() string { return filepath.Join(l.Agent(), "credentials.json") }
func (l Layout) AgentSocket() string      { return filepath.Join(l.Agent(), "run", "agent.sock") }
func (l Layout) Log(process string) string {
	return filepath.Join(l.Data, "log", process+".log")
}
func (l Layout) PID(process string) string { return filepath.Join(l.Data, "run", process+".pid") }
func (l Layout) UpLock() string            { return filepath.Join(l.Data, "run", "up.lock") }

// SealKey returns the path of an installation's seal key, unless --seal-key names
// another.
func (l Layout) SealKey(installation string) string {
	return filepath.Join(l.sealRoot, installation+".key")
}

// Make creates the folders. Only their owner may read them, because logs and the store
// contain private data.
func (l Layout) Make() error {
	for _, dir := range []string{l.Data, l.Server(), l.Agent(), filepath.Dir(l.AgentSocket()),
		filepath.Join(l.Data, "log"), filepath.Join(l.Data, "run")} {
		if err := makeDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func makeDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	// Mkdir obeys the umask, which may remove the owner's own bits. Set them.
	if err := os.Mkdir(dir, 0o700); err == nil {
		return os.Chmod(dir, 0o700)
	} else if !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	return nil
}
