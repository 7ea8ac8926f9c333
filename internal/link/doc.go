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
// Sessions are level-triggered: what is sent follows from the newest snapshot,
// never from the event that woke the session.
//
//	no report, no stop wanted         RUNNING; again when unacknowledged for a
//	                                  minute, and on the next connection
//	stop wanted, not STOPPED          STOPPED; again with back-off until the
//	                                  report settles
//	anything else                     nothing
//
// A RUNNING order is thus never repeated once its host has reported: an agent
// that has forgotten an ended task would run it again. Every session's messages
// are written by one goroutine from snapshots that only advance, so RUNNING
// never follows STOPPED.
//
// An instance's agent is connected while its session record exists. The record
// lives under the server's lease; the newest connection owns it, and the late end of
// an older one leaves it alone. A connection of another agent is refused while the
// one that is there answers: see vet.
package link
