// Package store keeps Ashore's state in etcd behind typed records.
//
//	         Update(fn)                     Snapshot(), Fresh()
//	            │ read, decide, write            ▲ immutable, no locks
//	            ▼                                │
//	Tx ── guards ──► committer ──► etcd ──► one watch ──► tables ──► Feed
//	                 joins independent        applies whole
//	                 transactions             revisions
//
// Reads come from a Snapshot: typed tables in memory that one watch over the
// whole prefix keeps current. A snapshot advances by whole revisions and never
// changes once handed out.
//
// Writes are optimistic transactions. Update runs a function over the newest
// snapshot and commits what it wrote as one etcd transaction, guarded by every
// record that it read by key (Get), every record that it created (Create), every
// set that it decided over (Guard: compared and rewritten; Unchanged: nothing
// below a prefix was created or modified since the snapshot). On a conflict the
// function runs again on a newer snapshot. What a function reads through
// Tx.Snapshot is not guarded: use it to search, then Get what the decision rests
// on.
//
// A transaction whose answer is lost is sent again. Its id in the head key tells
// whether it took effect. A comparison that fails shows that it never will, if the
// comparison can't come true again: one of a record's revision can't, one of a
// record's absence can. Where neither is shown, and a refusal of a later try shows
// neither, Update says that nothing is known (ErrUnknown).
//
// Fresh returns a snapshot that holds every write acknowledged before the call,
// on whichever server it was made: each transaction writes a head key, whose
// revision a fresh read waits for. On an embedded etcd this process makes all the
// writes and waits for its own before it answers, so the newest snapshot is fresh.
//
// Keys are <prefix>/v1/<account>/<region>/<record>, values JSON. A child's key
// starts with its parent's. Register declares a kind of records by the path of its
// keys, and the names in a path may be any text.
//
// A transaction measures itself while it is put together: Tx.Try takes back what is
// more than etcd takes in one, and UpdateEach carries out many things in few.
package store
