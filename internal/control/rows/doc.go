// Package rows lets readers outside of the server follow a part of the state: the rows
// that they have selected and may see, and each change of these.
//
// A room declares a View of its things: what a row is made of, which records it follows
// from, and what a reader needs to be allowed. The views of all rooms make up a
// Watchers, which carries out streams of lines (see docs/data.md):
//
//	            ┌ rows, rows, … ┐
//	no revision │               │
//	───────────►│               ├─► synced ─► changes ─► changes ─► …
//	reset ─────►│               │      ▲                    │
//	            └───────────────┘      │    no longer known │
//	a revision that is known ─ changes ┘    ◄───── reset ───┘
//
// One goroutine follows the store for all readers, as long as there are some. For each
// record that has changed it finds the rows that may have, and for each of these the
// readers that have selected it. A reader that is woken compares its rows by the two
// snapshots before and after: so what it has been told needs not be remembered. A
// reader that is up to date holds no snapshot, and one that is behind holds one.
package rows
