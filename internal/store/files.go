package store

import "fmt"

// MinFiles is how many files the process of an embedded etcd must be able to open. etcd
// reserves 150 for itself and ends if there are fewer. Our own connections come on top.
const MinFiles = 256

// FilesError says that this process can't open enough files.
type FilesError struct{ Limit uint64 }

func (e *FilesError) Error() string {
	return fmt.Sprintf("this process may have %d files open at once, and the control plane needs %d, beside one for each host and each call under way", e.Limit, MinFiles)
}

func checkFileLimit() error {
	limit, err := openFiles()
	if err != nil || limit >= MinFiles {
		return nil // or the limit is unknown; etcd will show
	}
	return &FilesError{limit}
}
