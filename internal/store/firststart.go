package store

import (
	"errors"
	"os"
	"path/filepath"
)

// isUnbegun says whether a member's first start did not finish: a kill or a loss of
// power cut it short before anything was stored. Neither its log nor its database has
// an entry. Such a member is made again. An etcd with a log without entries waits for a
// leader for ever, because it knows no member that could lead, not even itself.
//
// A member that can't be read counts as begun: it may hold data.
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
		found, err := readDatabase(db, "")
		var lacks *bucketError
		if err != nil && !errors.As(err, &lacks) || found.applied > 0 {
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

// bucketError says that a database lacks a bucket that etcd makes at its first start.
type bucketError struct{ name string }

func (e *bucketError) Error() string { return `it has no "` + e.name + `"` }
