package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitShare is how much of the cgroup's memory limit the heap may use, in per cent.
// The rest is for memory outside the heap and for the database's pages.
const limitShare = 75

// limitMemory makes Go collect garbage more often as the process approaches its
// cgroup's memory limit, unless GOMEMLIMIT is set.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return // without cgroups there is no limit
	}
	if limit := cgroupMemory("/sys/fs/cgroup", string(self)); limit < math.MaxInt64 {
		debug.SetMemoryLimit(limit / 100 * limitShare)
	}
}

// cgroupMemory returns the lowest memory limit of a process's cgroup and its parents,
// of version 1 or 2. self is the content of /proc/self/cgroup.
func cgroupMemory(mount, self string) int64 {
	least := int64(math.MaxInt64)
	for line := range strings.Lines(self) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(parts) != 3 {
			continue
		}
		dir, file := mount, "memory.max"
		if parts[1] == "memory" {
			dir, file = filepath.Join(mount, "memory"), "memory.limit_in_bytes"
		} else if parts[1] != "" {
			continue
		}
		// In a container the path may be the host's path, and the mount begins below
		// it.
		for at := filepath.Clean("/" + parts[2]); ; at = filepath.Dir(at) {
			if n := readLimit(filepath.Join(dir, at, file)); n > 0 {
				least = min(least, n)
			}
			if at == "/" {
				break
			}
		}
	}
	return least
}

// readLimit returns a limit in bytes, 0 if there is none: if the file is missing, says
// "max", or has version 1's largest number.
func readLimit(path string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n > math.MaxInt64/2 {
		return 0
	}
	return n
}
