package local

import (
	"fmt"
	"os"
	"syscall"
)

// Restart executes this program again in this process, with the same arguments, process
// id and parent. Open files are closed, and their locks are released. It returns only
// on an error.
func Restart() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		path = "/proc/self/exe" // the file is gone, for example after an upgrade
	}
	if err := syscall.Exec(path, os.Args, os.Environ()); err != nil {
		return fmt.Errorf("start %s again: %w", path, err)
	}
	return nil
}
