package acs

import (
	"bytes"
	"encoding/json"

	"github.com/ashore/ashore/internal/wire/frame"
)

// ExtensionsHeader in the upgrade's response says which extensions the server
// knows; ExtensionsVersion is its first value, ReportsVersion, AcksVersion,
// RangesVersion and AccountsVersion are further ones.
const (
	ExtensionsHeader  = "Ashore-Extensions"
	ExtensionsVersion = "1"
)

// ErrUnknownType is what Decode answers for a frame whose type has no struct
// here. Both sides log and ignore such frames; the connection stays up.
var ErrUnknownType = frame.ErrUnknownType

// Message is one of this package's message structs, by pointer.
type Message interface{ kind() string }

// TypeOf is the name a message has on the wire.
func TypeOf(m Message) string { return m.kind() }

var protocol = frame.New("acs", Message.kind,
	func() Message { return new(HeartbeatMessage) },
	func() Message { return new(HeartbeatAckRequest) },
	func() Message { return new(PayloadMessage) },
	func() Message { return new(AckRequest) },
	func() Message { return new(NackRequest) },
	func() Message { return new(IAMRoleCredentialsMessage) },
	func() Message { return new(IAMRoleCredentialsAckRequest) },
	func() Message { return new(TaskManifestMessage) },
	func() Message { return new(TaskStopVerificationMessage) },
	func() Message { return new(TaskStopVerificationAck) },
	func() Message { return new(StageUpdateMessage) },
	func() Message { return new(PerformUpdateMessage) },
	func() Message { return new(CloseMessage) },
	func() Message { return new(ErrorMessage) },
	func() Message { return new(InventoryMessage) },
	func() Message { return new(ReportMessage) },
	func() Message { return new(ReportAck) },
)

// Encode writes a message as one text frame.
func Encode(m Message) ([]byte, error) { return protocol.Encode(m) }

// EncodeTo is Encode onto the end of a buffer.
func EncodeTo(b *bytes.Buffer, m Message) error { return protocol.EncodeTo(b, m) }

// Decode reads one text frame. The error wraps ErrUnknownType and names the
// type when the frame itself is well formed.
func Decode(data []byte) (Message, error) { return protocol.Decode(data) }

// Names of the errors that a refused upgrade may carry. An agent waits an hour
// after InactiveInstance and retries the others with back-off.
const (
	ServerException           = "ServerException"
	BadRequestException       = "BadRequestException"
	InvalidClusterException   = "InvalidClusterException"
	InvalidInstanceException  = "InvalidInstanceException"
	AccessDeniedException     = "AccessDeniedException"
	InactiveInstanceException = "InactiveInstanceException"
)

// Refusal is the body of an upgrade answered with a status other than 101.
func Refusal(name, text string) []byte {
	body, err := json.Marshal(map[string]any{"type": name, "message": map[string]string{"message": text}})
	if err != nil {
		panic(err) // strings always marshal
	}
	return body
}
