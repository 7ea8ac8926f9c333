package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitShare is how much of what the machine's owner lets a process have its heap may
// take, in per cent: the rest is for what is no heap, and for the database's pages.
const limitShare = 75

// limitMemory has garbage collected the harder the closer the process comes to the
// memory that its cgroup has, unless the user has chosen by GOMEMLIMIT.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return // no cgroups, no limit
	}
	if limit := cgroupMemory("/sys/fs/cgroup", string(self)); limit < math.MaxInt64 {
		debug.SetMemoryLimit(limit / 100 * limitShare)
	}
}

// cgroupMemory is the memory that a process may have by its cgroup and those above,
// of version 1 or 2. self is what /proc/self/cgroup says.
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
		// In a container the path may be the host's, and the mount begins below it.
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

// readLimit is 0 where there is none: no such file, "max", or version 1's largest
// number.
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
