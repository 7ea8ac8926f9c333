// Package rows lets readers outside of the server follow a part of the state. A reader
// gets the rows that it has selected and may see, and then each change of them.
//
// A View declares one kind of rows: what a row contains, the records that it follows
// from, and the action that a reader must be allowed. Watchers serves all views. It
// sends each reader a stream of lines (see docs/data.md):
//
//	            ┌ rows, rows, … ┐
//	no revision │               │
//	───────────►│               ├─► synced ─► changes ─► changes ─► …
//	reset ─────►│               │      ▲                    │
//	            └───────────────┘      │    no longer known │
//	a revision that is known ─ changes ┘    ◄───── reset ───┘
//
// While there are readers, one goroutine follows the store for all of them. For each
// changed record it finds the rows that may have changed. For each of these rows it
// finds the readers that have selected it, and wakes them. A woken reader compares its
// rows in the snapshots before and after the change. So the server need not remember
// what it has sent. A reader that is up to date holds no snapshot. A reader that is
// behind holds one.
package rows
