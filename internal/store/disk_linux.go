package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ext4Reserve is the highest number of blocks that ext4 keeps for itself. They count as
// free.
const ext4Reserve = 4096

// freeRoom returns how much the disk of a folder can still take from this process. Root
// may also use the blocks that a file system reserves for root.
func freeRoom(dir string) (room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return room{}, fmt.Errorf("statfs %s: %w", dir, err)
	}
	blocks := int64(s.Bavail)
	if os.Geteuid() == 0 {
		blocks = max(blocks, int64(s.Bfree)-ext4Reserve)
	}
	r := room{bytes: blocks * int64(s.Bsize), files: -1}
	if s.Files > 0 {
		r.files = int64(s.Ffree)
	}
	return r, nil
}

// allocate allocates a file's blocks if the file system supports it.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// mountOf returns where the file system of a folder is mounted, "" if that is unknown.
func mountOf(dir string) string {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	found := ""
	for s := bufio.NewScanner(f); s.Scan(); {
		// id parent major:minor root mountpoint options …; later lines cover earlier
		// ones.
		col := strings.Fields(s.Text())
		if len(col) < 5 {
			continue
		}
		at := unescapeMount(col[4])
		if rel, err := filepath.Rel(at, dir); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") && len(at) >= len(found) {
			found = at
		}
	}
	return found
}

// unescapeMount undoes the kernel's octal escapes of blanks and backslashes.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
