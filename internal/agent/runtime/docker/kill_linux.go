package docker

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// killGroup kills a container's process. If the process leads a process group, it kills
// the group. The process id comes from the engine. It can mean another process here, if
// the engine runs on another machine or in another PID namespace. So the process must be
// in the container's cgroup, whose name contains the container's id.
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
	// While fd shows that the process exists, its id can't belong to another.
	if err := unix.PidfdSendSignal(fd, 0, nil, 0); err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	if group == pid {
		return unix.Kill(-pid, unix.SIGKILL)
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}
