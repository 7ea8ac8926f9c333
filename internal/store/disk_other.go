//go:build !linux

package store

import (
	"errors"
	"os"
)

func freeRoom(string) (room, error) { return room{}, errors.ErrUnsupported }

func allocate(*os.File, int64) error { return nil }

func mountOf(string) string { return "" }
