// Package awsjson is the AWS JSON 1.0 and 1.1 codec for the structs of aws-sdk-go-v2.
// It is the server's counterpart of the SDK's serializers.
//
// Package model names the members. Encoding leaves out nil pointers, slices, maps and
// interfaces, and empty enums. It writes everything else, also zeros of plain numbers
// and booleans ("desiredCount": 0), as ECS does. It writes empty slices and maps that
// are not nil as [] and {}. Timestamps are epoch seconds with milliseconds; RFC 3339
// strings are accepted, too. Blobs are base64. Decoding ignores unknown members and
// treats null as absent. It bounds the depth, the size and the memory of a document.
//
// Plain structs of ours work, too. A `json:"name"` tag replaces a name.
//
// The codec builds a plan for each type by reflection at its first use, and caches it.
package awsjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ashore/ashore/internal/aws/protocol"
)

// MaxSize is the largest document that can be decoded, in bytes.
const MaxSize = 16 << 20

// Marshal encodes v, a struct or a pointer to one, under wire names.
func Marshal(v any) ([]byte, error) { return Append(nil, v) }

// Append is Marshal that appends to dst.
func Append(dst []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return append(dst, "{}"...), nil
		}
		rv = rv.Elem()
	}
	if !rv.IsValid() {
		return nil, protocol.Errorf("nothing to encode")
	}
	p, err := planOf(rv.Type())
	if err != nil {
		return nil, err
	}
	return p.enc(dst, rv, 0)
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// Unmarshal decodes b into the struct to which v points. It returns a *protocol.Error
// for everything that is wrong with b.
func Unmarshal(b []byte, v any) error { return UnmarshalWithin(b, v, protocol.Within{}) }

// UnmarshalWithin is Unmarshal with limits.
func UnmarshalWithin(b []byte, v any, within protocol.Within) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("awsjson: Unmarshal into %T, not a pointer to something", v)
	}
	rv = rv.Elem()
	p, err := planOf(rv.Type())
	if err != nil {
		return err
	}
	if len(b) > MaxSize {
		return protocol.Errorf("document of %d bytes is larger than the %d allowed", len(b), MaxSize)
	}
	d := decoders.Get().(*decoder)
	defer func() {
		d.src, d.budget = bytes.Buffer{}, protocol.Budget{} // otherwise the pool would keep b in memory
		d.Reset(&d.src)
		decoders.Put(d)
	}()
	d.src = *bytes.NewBuffer(b)
	// The check for duplicates costs a set for each object. As in AWS, the last one
	// wins.
	d.Reset(&d.src, jsontext.AllowDuplicateNames(true))
	d.budget = protocol.NewBudget(within)
	if d.PeekKind() == 'n' {
		return protocol.Errorf("null where %s is expected", p.name)
	}
	if err := p.dec(d, rv, 0); err != nil {
		return protocol.At("", err)
	}
	switch _, err := d.ReadToken(); {
	case err == nil:
		return protocol.Errorf("something follows the end of the document")
	case !errors.Is(err, io.EOF):
		return syntax(err)
	}
	return nil
}

func syntax(err error) error {
	if errors.Is(err, io.EOF) {
		return &protocol.Error{Msg: "malformed JSON: unexpected end", Err: err}
	}
	var s *jsontext.SyntacticError
	if errors.As(err, &s) && s.Err != nil {
		return &protocol.Error{Msg: fmt.Sprintf("malformed JSON: %v at byte %d", s.Err, s.ByteOffset), Err: err}
	}
	return &protocol.Error{Msg: "malformed JSON: " + err.Error(), Err: err}
}
