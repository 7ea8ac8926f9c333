package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/wire"
)

// Listen listens on addr. If the port is in use, the error names the process that uses
// it and the flag that selects another port.
func Listen(addr, flag string) (net.Listener, error) {
	l, err := wire.ListenConfig().Listen(context.Background(), "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		_, port, _ := net.SplitHostPort(addr)
		who := "another process (of another user, or in another network namespace)"
		if n, err := strconv.Atoi(port); err == nil {
			if pid, command, ok := portHolder("/proc", n); ok {
				who = fmt.Sprintf("process %d (%s)", pid, command)
			}
		}
		return nil, hint.With(fmt.Errorf("%s is taken by %s", addr, who),
			"stop that process, or choose another address by %s, such as %s 127.0.0.1:4701", flag, flag)
	}
	return l, err
}

// portHolder finds the process that listens on a TCP port. It finds the socket's inode
// in proc/net/tcp*, and then the process that has that inode open.
func portHolder(proc string, port int) (pid int, command string, ok bool) {
	sockets := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(proc, "net", table))
		if err != nil {
			continue
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			// sl local_address rem_address st … uid timeout inode; 0A is LISTEN
			col := strings.Fields(s.Text())
			if len(col) < 10 || col[3] != "0A" {
				continue
			}
			_, hex, _ := strings.Cut(col[1], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
				sockets["socket:["+col[9]+"]"] = true
			}
		}
		f.Close()
	}
	files, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return 0, "", false
	}
	for _, file := range files {
		target, err := os.Readlink(file)
		if err != nil || !sockets[target] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(file))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		return pid, commandLine(dir), true
	}
	return 0, "", false
}

func commandLine(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil || len(b) == 0 {
		if b, err = os.ReadFile(filepath.Join(dir, "comm")); err != nil {
			return "unknown command"
		}
	}
	c := strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
	if r := []rune(c); len(r) > 120 {
		c = string(r[:119]) + "…"
	}
	return c
}
