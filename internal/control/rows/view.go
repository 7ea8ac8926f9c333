package rows

import (
	"iter"

	"github.com/ashore/ashore/internal/store"
)

// A View declares one kind of rows. Its functions are pure: their results depend only
// on their arguments. Several goroutines call them.
//
// A scope is a set of a view's rows that a reader can select, such as all rows, the
// rows of a cluster, or the rows of a service. It is any text that the view chooses.
type View struct {
	Kind string // "task"

	// Scope returns the scope for the names and values of a Select, such as "cluster"
	// and "c". The reader gets the text of its error.
	Scope func(where map[string]string) (scope string, err error)
	// Keys yields the keys of the rows in a scope, in any order, each once.
	Keys func(s *store.Snapshot, scope string) iter.Seq[string]
	// Scopes returns the scopes of a row, none if there is no such row. A row never
	// changes its scopes. A later row of the same key has the same scopes.
	Scopes func(s *store.Snapshot, key string) []string
	// MayBeIn reports whether a row may have been in a scope, to judge by its key
	// alone.
	MayBeIn func(key, scope string) bool
	// Readable returns an error if a record that decides whether the row exists can't
	// be read.
	Readable func(s *store.Snapshot, key string) error
	// Describe returns the row's value, a structure of the SDK. It returns an error if
	// the value can't be computed at the moment.
	Describe func(s *store.Snapshot, key string) (any, error)
	// Touches has a function for each kind of records that rows follow from. The
	// function calls touch with the key of each row that a change of a record may
	// alter. touch ignores repeated keys, and keys without a row.
	Touches map[store.ChangeKind]func(prev, next *store.Snapshot, names store.Names, touch func(key string))

	// Action is the action that a reader must be allowed on a row, such as
	// "ecs:DescribeTasks".
	Action string
	// Resource returns the ARN of the resource that a row describes.
	Resource func(key string) string
	// Context returns the values of a condition key that follow from a row's key alone,
	// nil if there are none. The name is in lower case. Nil: there are none.
	Context func(key, name string) []string
}

// A row is the name of a row.
type row struct {
	view *View
	key  string
}
