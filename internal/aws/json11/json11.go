// Package json11 is the AWS JSON 1.1 codec over the structs of aws-sdk-go-v2:
// the server's side of what the SDK's own serializers do for clients.
//
// A member's wire name is its Go name with the first letter lowered, unless
// wireNames says otherwise. Nil pointers, slices, maps and interfaces and empty
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
package json11

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxDepth is how deep structures, lists and maps may nest.
	MaxDepth = 64
	// MaxSize is the largest document that is decoded, in bytes.
	MaxSize = 16 << 20
	// maxMemory bounds what lists, maps and structures of one document occupy:
	// a list of empty objects is a few bytes each on the wire and hundreds
	// each in memory.
	maxMemory = 64 << 20
)

// Error says what in a document could not be decoded, or what in a value could
// not be encoded.
type Error struct {
	Path string // "containerDefinitions[2].cpu"; empty for the document itself
	Msg  string
	Err  error // what lies beneath, or nil
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

func errorf(format string, args ...any) error {
	return &Error{Msg: fmt.Sprintf(format, args...)}
}

// at puts a path element in front of err's path.
func at(elem string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Msg: err.Error(), Err: err}
	}
	switch {
	case elem == "", e.Path == "", e.Path[0] == '[':
		e.Path = elem + e.Path
	default:
		e.Path = elem + "." + e.Path
	}
	return e
}

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
		return nil, errorf("nothing to encode")
	}
	p, err := planOf(rv.Type())
	if err != nil {
		return nil, err
	}
	return p.enc(dst, rv, 0)
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// Unmarshal decodes b into what v points to. Every error that b causes is an
// *Error.
func Unmarshal(b []byte, v any) error { return UnmarshalWithin(b, v, Within{}) }

// Within bounds the memory that a document may grow to.
type Within struct {
	Memory int // bytes of lists, maps and structures; 0: 64 MiB
	// Hold, if not nil, is asked before the document occupies so many bytes in all.
	// It is asked in steps, so seldom, and its error ends the decoding.
	Hold func(bytes int) error
}

// holdStep is how many bytes Hold is asked for at once.
const holdStep = 64 << 10

// UnmarshalWithin is Unmarshal within limits of the caller.
func UnmarshalWithin(b []byte, v any, within Within) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("json11: Unmarshal into %T, not a pointer to something", v)
	}
	rv = rv.Elem()
	p, err := planOf(rv.Type())
	if err != nil {
		return err
	}
	if len(b) > MaxSize {
		return errorf("document of %d bytes is larger than the %d allowed", len(b), MaxSize)
	}
	d := decoders.Get().(*decoder)
	defer func() {
		d.src, d.hold = bytes.Buffer{}, nil // or the pool would keep b alive
		d.Reset(&d.src)
		decoders.Put(d)
	}()
	d.src = *bytes.NewBuffer(b)
	// The duplicate check costs a set for each object; as AWS does, the last wins.
	d.Reset(&d.src, jsontext.AllowDuplicateNames(true))
	d.memory, d.spent, d.held, d.hold = cmp.Or(within.Memory, maxMemory), 0, 0, within.Hold
	if d.PeekKind() == 'n' {
		return errorf("null where %s is expected", p.name)
	}
	if err := p.dec(d, rv, 0); err != nil {
		return at("", err)
	}
	switch _, err := d.ReadToken(); {
	case err == nil:
		return errorf("something follows the end of the document")
	case !errors.Is(err, io.EOF):
		return syntax(err)
	}
	return nil
}

func syntax(err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{Msg: "malformed JSON: unexpected end", Err: err}
	}
	var s *jsontext.SyntacticError
	if errors.As(err, &s) && s.Err != nil {
		return &Error{Msg: fmt.Sprintf("malformed JSON: %v at byte %d", s.Err, s.ByteOffset), Err: err}
	}
	return &Error{Msg: "malformed JSON: " + err.Error(), Err: err}
}
