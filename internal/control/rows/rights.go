package rows

import "github.com/ashore/ashore/internal/store"

// Rights say what one reader may. They follow from a snapshot, so that what the reader
// could see before and what it can see now are compared by the same function.
type Rights interface {
	// Valid returns why the reader must go, nil where it may stay.
	CheckValid(s *store.Snapshot) error
	// May says whether the reader may see a row, whether there is one or not. An error
	// says that it can't be told, which ends the stream.
	CheckRow(s *store.Snapshot, v *View, key string) (Permission, error)
	// Concerns says whether a change of a record, of one of the kinds Config.RightsRestOn,
	// may alter what the reader may.
	DependOn(c store.Change) bool
}

// A Permission says whether a reader may see a row.
type Permission struct {
	Allowed bool
	// ByName says that no record had a say: with the same policies it was so before,
	// and is so of a row that is gone.
	ByNameAlone bool
}
