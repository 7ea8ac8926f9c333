package store

import (
	"errors"
	"os"
	"path/filepath"
)

// isUnbegun tells what a member's first start leaves that was cut short, by a kill or by
// the loss of power, before anything was stored: neither its log nor its database has
// an entry. Such a member is made anew. An etcd that finds a log without an entry waits
// for a leader for ever, as it knows no member who could be one, not even itself.
//
// What can't be read is not unbegun: it may hold something.
func isUnbegun(member string) bool {
	segments, err := walSegments(filepath.Join(member, "wal"))
	if err != nil || len(segments) > 1 {
		return false
	}
	db := filepath.Join(member, "snap", "db")
	info, err := os.Stat(db)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil || !info.Mode().IsRegular():
		return false
	case info.Size() > 0:
		applied, err := readDatabase(db)
		var lacks *bucketError
		if err != nil && !errors.As(err, &lacks) || applied > 0 {
			return false
		}
	}
	for _, s := range segments {
		if last, err := lastEntry(s); err != nil || last > 0 || s.index > 0 {
			return false
		}
	}
	return true
}

// bucketError is of a database that lacks what etcd makes in it at its first start.
type bucketError struct{ name string }

func (e *bucketError) Error() string { return `it has no "` + e.name + `"` }
