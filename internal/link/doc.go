// Package link is the server's side of the agent protocols: a session for each
// connected agent over ACS (commands) and TCS (telemetry).
//
//	store.Follow ─► dispatcher ─► marks the changed tasks on the sessions
//	                              concerned and wakes them
//	session loop ─► looks the tasks up in the newest snapshot, orders ─► agent
//	agent ─► session reader ─► acks, inventory, stop candidates ─► session loop
//	                        ─► reports: committed at once, answered by the loop; the
//	                           acknowledgements that came along wait for its next step
//	session begins, ends, its lease is lost ─► recorder ─► session record
//
// Sessions are level-triggered: they derive what they send from the newest snapshot, never
// from the event that woke them.
//
//	no report, no stop wanted         RUNNING; again when unacknowledged for a
//	                                  minute, and on the next connection
//	stop wanted, not STOPPED          STOPPED; again with back-off until the
//	                                  host reports the end
//	anything else                     nothing
//
// So a RUNNING order is never repeated once its host has reported: an agent that has
// forgotten an ended task would run it again. One goroutine writes all messages of a
// session, from snapshots that only advance. So RUNNING never follows STOPPED.
//
// An instance's agent is connected while its session record exists. The record lives under
// the server's lease, and the newest connection owns it. If an older connection ends late,
// it does not change the record. While a connection's agent answers, a connection of
// another agent is refused: see checkDuplicate.
package link
