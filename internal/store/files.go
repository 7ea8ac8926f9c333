package store

import "fmt"

// MinFiles is how many files the process of an embedded etcd must be allowed to
// have open. etcd keeps 150 for itself and ends where there are not more; our own
// connections come on top.
const MinFiles = 256

// FilesError says that this process may have too few files open.
type FilesError struct{ Limit uint64 }

func (e *FilesError) Error() string {
	return fmt.Sprintf("this process may have %d files open at once, and the control plane needs %d, beside one for each host and each call under way", e.Limit, MinFiles)
}

func checkFileLimit() error {
	limit, err := openFiles()
	if err != nil || limit >= MinFiles {
		return nil // or not known: etcd will tell
	}
	return &FilesError{limit}
}
