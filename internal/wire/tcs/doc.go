// Package tcs holds the messages of the telemetry websocket, for both of its
// sides, and how they are written as frames.
//
// A frame from agent to server is a block of HTTP header lines that sign it,
// an empty line, then {"type":"<Name>","message":{…}}. A frame from server to
// agent is the JSON alone.
package tcs
