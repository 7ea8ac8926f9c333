package journal

import (
	"errors"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"
)

// Format is the number of the journal's format that this version reads and writes. It
// grows only with a change that an older agent can't work with. A new bucket, record or
// member is no such change. A journal without a number is of format 1.
const Format = 1

// formatKey is the key of the number in Meta. The number is decimal.
const formatKey = "format"

// FormatError says that a newer version wrote the journal.
type FormatError struct {
	Path   string
	Stored string // its number
	Known  int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s is in format %s, and this version of Ashore knows formats up to %d: use the version that wrote it, or a newer one", e.Path, e.Stored, e.Known)
}

// CheckFormat returns a FormatError if a newer version wrote the journal at path. It
// changes nothing. Open reports everything else that is wrong with the file.
func CheckFormat(path string) error {
	var newer *FormatError
	if err := checkExisting(path); errors.As(err, &newer) {
		return newer
	}
	return nil
}

// checkFormat returns a FormatError if an open journal is in a newer format.
func checkFormat(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(Meta))
		if meta == nil {
			return nil
		}
		stored := meta.Get([]byte(formatKey))
		if stored == nil {
			return nil
		}
		if n, err := strconv.Atoi(string(stored)); err != nil || n > Format {
			return &FormatError{Path: db.Path(), Stored: string(stored), Known: Format}
		}
		return nil
	})
}
