//go:build !unix

package store

import "errors"

func openFiles() (uint64, error) { return 0, errors.ErrUnsupported }
