//go:build unix

package store

import "syscall"

// openFiles is how many files this process may have open, which Go's runtime has
// raised to what the system allows it.
func openFiles() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return uint64(l.Cur), nil
}
