package local

import (
	"fmt"
	"os"
	"syscall"
)

// Restart makes this process its own program anew, with the same arguments, process
// id and parent. Files that it has open are closed, locks on them given up. It
// returns only where that fails.
func Restart() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		path = "/proc/self/exe" // the file is gone, such as by an upgrade
	}
	if err := syscall.Exec(path, os.Args, os.Environ()); err != nil {
		return fmt.Errorf("start %s again: %w", path, err)
	}
	return nil
}
