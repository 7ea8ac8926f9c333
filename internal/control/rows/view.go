package rows

import (
	"iter"

	"github.com/ashore/ashore/internal/store"
)

// A View declares one kind of rows. Its functions are pure: what they return follows
// from their arguments alone. They are called by several goroutines.
//
// A scope is a part of a view's rows that a reader can select, such as "all", "those of
// a cluster", "those of a service". It is any text that the view likes.
type View struct {
	Kind string // "task"

	// Scope returns the scope that a reader asks for by names and values, such as
	// "cluster" and "c". Its error is told to the reader.
	Scope func(where map[string]string) (scope string, err error)
	// Keys yields the keys of the rows of a scope, in any order, each once.
	Keys func(s *store.Snapshot, scope string) iter.Seq[string]
	// Scopes returns the scopes that a row is in, none where there is no such row. A
	// row never changes its scopes, nor does a later row of the same key.
	Scopes func(s *store.Snapshot, key string) []string
	// MayBeIn says whether a row of a key may have been in a scope, by the key alone.
	MayBeIn func(key, scope string) bool
	// Readable returns an error where a record that decides whether there is a row
	// can't be read.
	Readable func(s *store.Snapshot, key string) error
	// Describe returns the row's value, a structure of the SDK. An error says that it
	// can't be told at the moment.
	Describe func(s *store.Snapshot, key string) (any, error)
	// Touches says, for each kind of records that rows follow from, which rows a
	// change of a record may alter. It calls touch with their keys; rows that there
	// are not, and repeated ones, are passed over.
	Touches map[store.ChangeKind]func(prev, next *store.Snapshot, names store.Names, touch func(key string))

	// Action is what a reader must be allowed to do with a row: "ecs:DescribeTasks".
	Action string
	// Resource returns the ARN of the thing that a row is about.
	Resource func(key string) string
	// Context returns the values of a condition key about a row, whose name is in
	// lower case; nil where it has none.
	Context func(s *store.Snapshot, key, name string) []string
}

// A row names a row.
type row struct {
	view *View
	key  string
}
