// Package frame is the envelope that both agent protocols put their messages in:
// {"type":"<Name>","message":{…}}. Names are matched exactly, members without
// regard to case, and unknown members are ignored.
package frame

import (
	"bytes"
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	json "github.com/go-json-experiment/json/v1"

	"github.com/ashore/ashore/internal/wire/buffer"
)

// ErrUnknownType is what Decode answers for a frame whose type the protocol has
// no message for. Both sides log and ignore such frames; the connection stays up.
var ErrUnknownType = errors.New("unknown message type")

// Protocol is the set of messages of type M, pointers to structs, that two sides
// exchange.
type Protocol[M any] struct {
	name   string
	kind   func(M) string
	byName map[string]func() M
}

// New makes one of its name, how its messages are called, and a maker of each.
func New[M any](name string, kind func(M) string, makers ...func() M) Protocol[M] {
	p := Protocol[M]{name: name, kind: kind, byName: make(map[string]func() M, len(makers))}
	for _, f := range makers {
		p.byName[kind(f())] = f
	}
	return p
}

// NewAll makes one message of each kind.
func (p Protocol[M]) NewAll() []M {
	var all []M
	for _, f := range p.byName {
		all = append(all, f())
	}
	return all
}

// A frame as EncodeTo writes it is its type between opening and middle, its
// message, and a brace.
const opening, middle = `{"type":"`, `","message":`

// Encode writes a message as one frame.
func (p Protocol[M]) Encode(m M) ([]byte, error) {
	b := buffer.Get()
	defer buffer.Put(b)
	if err := p.EncodeTo(b, m); err != nil {
		return nil, err
	}
	return bytes.Clone(b.Bytes()), nil
}

// EncodeTo is Encode onto the end of a buffer.
func (p Protocol[M]) EncodeTo(b *bytes.Buffer, m M) error {
	b.WriteString(opening)
	b.WriteString(p.kind(m)) // a name of ours
	b.WriteString(middle)
	if err := jsonv2.MarshalWrite(b, m, json.DefaultOptionsV1()); err != nil {
		return fmt.Errorf("%s: encode %s: %w", p.name, p.kind(m), err)
	}
	return b.WriteByte('}')
}

// Decode reads one frame. The error wraps ErrUnknownType and names the type when
// the frame itself is well formed.
func (p Protocol[M]) Decode(data []byte) (M, error) {
	if m, ok := p.DecodeOwn(data); ok {
		return m, nil
	}
	return p.DecodeAny(data)
}

// DecodeOwn reads a frame laid out as EncodeTo does it, with one look at its
// body. What it takes for the body is that if it is one JSON value; in every
// other case it tells nothing, and the frame is for DecodeAny.
func (p Protocol[M]) DecodeOwn(data []byte) (m M, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(opening))
	if !ok {
		return m, false
	}
	name, body, ok := bytes.Cut(rest, []byte(middle))
	if !ok || len(body) == 0 || body[len(body)-1] != '}' {
		return m, false
	}
	make, ok := p.byName[string(name)]
	if !ok {
		return m, false
	}
	m, body = make(), body[:len(body)-1]
	if own, ok := any(m).(json.Unmarshaler); ok {
		// It decodes the whole value itself: one look less, to find its end.
		return m, own.UnmarshalJSON(body) == nil
	}
	return m, json.Unmarshal(body, m) == nil
}

// DecodeAny reads a frame of any layout, with care.
func (p Protocol[M]) DecodeAny(data []byte) (none M, err error) {
	var f struct {
		Type    string          `json:"type"`
		Message json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return none, fmt.Errorf("%s: frame: %w", p.name, err)
	}
	make, ok := p.byName[f.Type]
	if !ok {
		return none, fmt.Errorf("%s: %w: %q", p.name, ErrUnknownType, f.Type)
	}
	m := make()
	if len(f.Message) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(f.Message, m); err != nil {
		return none, fmt.Errorf("%s: %s: %w", p.name, f.Type, err)
	}
	return m, nil
}
