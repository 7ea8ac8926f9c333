// Package frame is the envelope of the messages of both agent protocols:
// {"type":"<Name>","message":{…}}. Names must match exactly. Members match without regard
// to case, and unknown members are ignored.
package frame

import (
	"bytes"
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	json "github.com/go-json-experiment/json/v1"

	"github.com/ashore/ashore/internal/wire/buffer"
)

// ErrUnknownType is the error of Decode for a frame of an unknown type. Both sides log and
// ignore such frames; the connection stays open.
var ErrUnknownType = errors.New("unknown message type")

// Protocol is a set of messages of type M, which are pointers to structs.
type Protocol[M any] struct {
	name   string
	kind   func(M) string
	byName map[string]func() M
}

// New returns a protocol. kind returns a message's type name. Each maker makes an empty
// message of one type.
func New[M any](name string, kind func(M) string, makers ...func() M) Protocol[M] {
	p := Protocol[M]{name: name, kind: kind, byName: make(map[string]func() M, len(makers))}
	for _, f := range makers {
		p.byName[kind(f())] = f
	}
	return p
}

// NewAll returns one empty message of each type.
func (p Protocol[M]) NewAll() []M {
	var all []M
	for _, f := range p.byName {
		all = append(all, f())
	}
	return all
}

// EncodeTo writes opening, the type, middle, the message and a brace.
const opening, middle = `{"type":"`, `","message":`

// Encode encodes a message as one frame.
func (p Protocol[M]) Encode(m M) ([]byte, error) {
	b := buffer.Get()
	defer buffer.Put(b)
	if err := p.EncodeTo(b, m); err != nil {
		return nil, err
	}
	return bytes.Clone(b.Bytes()), nil
}

// EncodeTo appends a message as one frame to a buffer.
func (p Protocol[M]) EncodeTo(b *bytes.Buffer, m M) error {
	b.WriteString(opening)
	b.WriteString(p.kind(m)) // one of our names, which need no escaping
	b.WriteString(middle)
	if err := jsonv2.MarshalWrite(b, m, json.DefaultOptionsV1()); err != nil {
		return fmt.Errorf("%s: encode %s: %w", p.name, p.kind(m), err)
	}
	return b.WriteByte('}')
}

// Decode decodes one frame. If the frame is well formed but its type is unknown, the error
// wraps ErrUnknownType and names the type.
func (p Protocol[M]) Decode(data []byte) (M, error) {
	if m, ok := p.DecodeOwn(data); ok {
		return m, nil
	}
	return p.DecodeAny(data)
}

// DecodeOwn decodes a frame that EncodeTo wrote, in one pass over its body. ok is false
// for any other frame; then DecodeAny must decode it. DecodeOwn is safe: it only succeeds
// if the assumed body is one JSON value.
func (p Protocol[M]) DecodeOwn(data []byte) (m M, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(opening))
	if !ok {
		return m, false
	}
	name, body, ok := bytes.Cut(rest, []byte(middle))
	if !ok || len(body) == 0 || body[len(body)-1] != '}' {
		return m, false
	}
	newMessage, ok := p.byName[string(name)]
	if !ok {
		return m, false
	}
	m, body = newMessage(), body[:len(body)-1]
	if decoder, ok := any(m).(json.Unmarshaler); ok {
		// It decodes the whole value itself, which saves the pass that finds its end.
		return m, decoder.UnmarshalJSON(body) == nil
	}
	return m, json.Unmarshal(body, m) == nil
}

// DecodeAny decodes a frame in any layout.
func (p Protocol[M]) DecodeAny(data []byte) (none M, err error) {
	var f struct {
		Type    string          `json:"type"`
		Message json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return none, fmt.Errorf("%s: frame: %w", p.name, err)
	}
	newMessage, ok := p.byName[f.Type]
	if !ok {
		return none, fmt.Errorf("%s: %w: %q", p.name, ErrUnknownType, f.Type)
	}
	m := newMessage()
	if len(f.Message) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(f.Message, m); err != nil {
		return none, fmt.Errorf("%s: %s: %w", p.name, f.Type, err)
	}
	return m, nil
}
