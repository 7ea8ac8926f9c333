package acs

import (
	"bytes"
	"encoding/json"

	"github.com/ashore/ashore/internal/wire/frame"
)

// ExtensionsHeader of the upgrade response lists the extensions that the server supports.
// ExtensionsVersion is its first value. ReportsVersion, AcksVersion, RangesVersion and
// AccountsVersion are others.
const (
	ExtensionsHeader  = "Ashore-Extensions"
	ExtensionsVersion = "1"
)

// ErrUnknownType is the error of Decode for a frame of an unknown type. Both sides log and
// ignore such frames; the connection stays open.
var ErrUnknownType = frame.ErrUnknownType

// Message is a pointer to one of this package's message structs.
type Message interface{ kind() string }

// TypeOf returns a message's type name on the wire.
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

// Encode encodes a message as one text frame.
func Encode(m Message) ([]byte, error) { return protocol.Encode(m) }

// EncodeTo appends a message as one text frame to a buffer.
func EncodeTo(b *bytes.Buffer, m Message) error { return protocol.EncodeTo(b, m) }

// Decode decodes one text frame. If the frame is well formed but its type is unknown, the
// error wraps ErrUnknownType and names the type.
func Decode(data []byte) (Message, error) { return protocol.Decode(data) }

// Names of the errors of a refused upgrade. An agent waits an hour after
// InactiveInstanceException and retries the others with back-off.
const (
	ServerException           = "ServerException"
	BadRequestException       = "BadRequestException"
	InvalidClusterException   = "InvalidClusterException"
	InvalidInstanceException  = "InvalidInstanceException"
	AccessDeniedException     = "AccessDeniedException"
	InactiveInstanceException = "InactiveInstanceException"
)

// Refusal returns the body of a response that refuses an upgrade.
func Refusal(name, text string) []byte {
	body, err := json.Marshal(map[string]any{"type": name, "message": map[string]string{"message": text}})
	if err != nil {
		panic(err) // strings always marshal
	}
	return body
}
