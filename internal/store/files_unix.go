//go:build unix

package store

import "syscall"

// openFiles returns how many files this process may open. Go's runtime has raised the
// limit to what the system allows.
func openFiles() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return uint64(l.Cur), nil
}
