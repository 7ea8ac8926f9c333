package acs

import (
	"bytes"
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	json "github.com/go-json-experiment/json/v1"

	"github.com/ashore/ashore/internal/wire/buffer"
)

// ExtensionsHeader in the upgrade's response says which extensions the server
// knows; ExtensionsVersion is its first value, ReportsVersion a further one.
const (
	ExtensionsHeader  = "Ashore-Extensions"
	ExtensionsVersion = "1"
)

// ErrUnknownType is what Decode answers for a frame whose type has no struct
// here. Both sides log and ignore such frames; the connection stays up.
var ErrUnknownType = errors.New("acs: unknown message type")

// Message is one of this package's message structs, by pointer.
type Message interface{ kind() string }

// TypeOf is the name a message has on the wire.
func TypeOf(m Message) string { return m.kind() }

type frame struct {
	Type    string          `json:"type"`
	Message json.RawMessage `json:"message"`
}

// A frame as Encode writes it is its type between opening and middle, its message,
// and a brace.
const opening, middle = `{"type":"`, `","message":`

// Encode writes a message as one text frame.
func Encode(m Message) ([]byte, error) {
	b := buffer.Get()
	defer buffer.Put(b)
	if err := EncodeTo(b, m); err != nil {
		return nil, err
	}
	return bytes.Clone(b.Bytes()), nil
}

// EncodeTo is Encode onto the end of a buffer.
func EncodeTo(b *bytes.Buffer, m Message) error {
	b.WriteString(opening)
	b.WriteString(m.kind()) // a name of ours
	b.WriteString(middle)
	if err := jsonv2.MarshalWrite(b, m, json.DefaultOptionsV1()); err != nil {
		return fmt.Errorf("acs: encode %s: %w", m.kind(), err)
	}
	return b.WriteByte('}')
}

var byName = func() map[string]func() Message {
	makers := []func() Message{
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
	}
	m := make(map[string]func() Message, len(makers))
	for _, f := range makers {
		m[f().kind()] = f
	}
	return m
}()

// Decode reads one text frame. The error wraps ErrUnknownType and names the
// type when the frame itself is well formed.
func Decode(data []byte) (Message, error) {
	if m, ok := decodeOwn(data); ok {
		return m, nil
	}
	return decodeAny(data)
}

func decodeAny(data []byte) (Message, error) {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("acs: frame: %w", err)
	}
	make, ok := byName[f.Type]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, f.Type)
	}
	m := make()
	if len(f.Message) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(f.Message, m); err != nil {
		return nil, fmt.Errorf("acs: %s: %w", f.Type, err)
	}
	return m, nil
}

// decodeOwn reads a frame laid out as Encode does it, with one look at its body.
// What it takes for the body is that if it is one JSON value; in every other case
// it tells nothing, and the frame is read with care.
func decodeOwn(data []byte) (Message, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(opening))
	if !ok {
		return nil, false
	}
	name, body, ok := bytes.Cut(rest, []byte(middle))
	if !ok || len(body) == 0 || body[len(body)-1] != '}' {
		return nil, false
	}
	make, ok := byName[string(name)]
	if !ok {
		return nil, false
	}
	m := make()
	return m, json.Unmarshal(body[:len(body)-1], m) == nil
}

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
