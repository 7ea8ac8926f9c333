// Package awsjson is the AWS JSON 1.0 and 1.1 codec over the structs of aws-sdk-go-v2:
// the server's side of what the SDK's own serializers do for clients.
//
// Package model says what a member is called. Nil pointers, slices, maps and interfaces and empty
// enums are left out; everything else is written, zeros of plain numbers and
// booleans too ("desiredCount": 0), which is what ECS answers. Empty slices and
// maps that are not nil are written as [] and {}. Timestamps are epoch seconds
// with milliseconds; RFC 3339 strings are understood as well. Blobs are base64.
// Decoding ignores members that it doesn't know, takes null for absent, and
// bounds depth, size and the memory that a document may grow to.
//
// Plain structs of ours work too; a `json:"name"` tag overrides a name.
//
// The plan for a type is made by reflection at its first use and kept.
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

// MaxSize is the largest document that is decoded, in bytes.
const MaxSize = 16 << 20

// Marshal encodes v, a struct or a pointer to one, under wire names.
func Marshal(v any) ([]byte, error) { return Append(nil, v) }

// Append is Marshal onto the end of dst.
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

// Unmarshal decodes b into what v points to. Every error that b causes is a
// *protocol.Error.
func Unmarshal(b []byte, v any) error { return UnmarshalWithin(b, v, protocol.Within{}) }

// UnmarshalWithin is Unmarshal within limits of the caller.
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
		d.src, d.budget = bytes.Buffer{}, protocol.Budget{} // or the pool would keep b alive
		d.Reset(&d.src)
		decoders.Put(d)
	}()
	d.src = *bytes.NewBuffer(b)
	// The duplicate check costs a set for each object; as AWS does, the last wins.
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
