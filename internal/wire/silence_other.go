//go:build !linux

package wire

import "syscall"

// setUserTimeout does nothing: hosts and servers run Linux.
func setUserTimeout(string, string, syscall.RawConn) error { return nil }
