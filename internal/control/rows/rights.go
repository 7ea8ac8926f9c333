package rows

import "github.com/ashore/ashore/internal/store"

// Rights decide what one reader may see. They depend only on a snapshot. So the same
// function decides what the reader could see before and what it can see now.
type Rights interface {
	// CheckValid returns the reason why the stream must end, nil if it may continue.
	CheckValid(s *store.Snapshot) error
	// CheckRow decides whether the reader may see a row. The row need not exist. An
	// error means that there is no decision. It ends the stream.
	CheckRow(s *store.Snapshot, v *View, key string) (Permission, error)
	// DependOn reports whether a change of a record may alter these rights. The record
	// is of one of the kinds in Config.RightsKinds.
	DependOn(c store.Change) bool
}

// A Permission is the decision about one row and one reader.
type Permission struct {
	Allowed bool
	// ByNameAlone reports that the decision used no record. With the same policies it
	// was the same before, and it is the same for a removed row.
	ByNameAlone bool
}
