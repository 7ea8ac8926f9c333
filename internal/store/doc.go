// Package store keeps Ashore's state in etcd behind typed records.
//
//	         Update(fn)                     Snapshot(), Fresh()
//	            │ read, decide, write            ▲ immutable, no locks
//	            ▼                                │
//	Tx ── guards ──► committer ──► etcd ──► one watch ──► tables ──► Feed
//	                 joins independent        applies whole
//	                 transactions             revisions
//
// Reads come from a Snapshot: typed tables in memory that one watch over the whole
// prefix keeps current. A snapshot advances by whole revisions. It never changes after
// the store has handed it out.
//
// Writes are optimistic transactions. Update runs a function over the newest snapshot
// and commits what the function wrote as one etcd transaction. Guards protect the
// transaction. They cover
//
//   - each record that the function read by key (Get),
//   - each record that it created (Create),
//   - each set that it decided over, by a Guard (compared and rewritten) or by
//     Unchanged (nothing below a prefix was created or modified since the snapshot),
//   - the claim of each unique value that it gave to a record or freed (Unique).
//
// On a conflict the function runs again on a newer snapshot. Reads through Tx.Snapshot
// are not guarded: use them to search, then Get the records that the decision rests on.
//
// The store sends a transaction again when its answer is lost. The transaction's id in
// the head key tells whether it took effect. A failed comparison proves that the
// transaction never takes effect, but only if that comparison can't become true again.
// A comparison of a record's revision can't; a comparison of a record's absence can. A
// refusal of a later try proves nothing about the earlier try. Where nothing is proved,
// Update returns ErrUnknown.
//
// Fresh returns a snapshot that holds every write acknowledged before the call, on any
// server. Each transaction writes a head key, and a fresh read waits for the revision
// of that key. On an embedded etcd this process makes all the writes, and it answers
// only after its snapshot shows them. There the newest snapshot is always fresh.
//
// Keys are <prefix>/v1/<account>/<region>/<record>, values are JSON. A child's key
// starts with its parent's key. Register declares a kind of records by the path of its
// keys. The names in a path may be any text.
//
// A transaction measures its size while it grows. Tx.Try takes back what does not fit
// into one etcd transaction. UpdateEach applies many items in few transactions.
package store
