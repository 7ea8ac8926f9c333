//go:build !unix

package store

import (
	"errors"
	"os"
)

func lockFile(*os.File) (held bool, err error) { return false, errors.ErrUnsupported }
