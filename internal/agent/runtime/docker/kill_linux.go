package docker

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// killGroup kills a process of a container, with its group if it leads one. The
// number is the engine's: it is another process's where the engine is on another
// machine, or sees other processes than we do. So the process must be in the
// container's cgroup, whose name holds the container's id.
func killGroup(pid int, container string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	cgroups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return err
	}
	if container == "" || !strings.Contains(string(cgroups), container) {
		return fmt.Errorf("process %d is not one of container %s", pid, container)
	}
	group, err := unix.Getpgid(pid)
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	// While fd tells that the process is there, the number is its own.
	if err := unix.PidfdSendSignal(fd, 0, nil, 0); err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	if group == pid {
		return unix.Kill(-pid, unix.SIGKILL)
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}
