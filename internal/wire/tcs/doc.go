// Package tcs has the messages of the telemetry websocket, for both sides, and their
// encoding as frames.
//
// A frame from agent to server is a block of HTTP header lines that sign it, an empty
// line, and then {"type":"<Name>","message":{…}}. A frame from server to agent is only the
// JSON.
package tcs
