package awsjson

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// A Protocol is a version of AWS JSON. The versions differ only in their content type.
type Protocol struct{ contentType string }

// These are the versions of AWS JSON.
var (
	JSON10 = Protocol{"application/x-amz-json-1.0"}
	JSON11 = Protocol{"application/x-amz-json-1.1"}
)

// Decode treats an empty body as an input without members.
func (p Protocol) Decode(_ *model.Operation, _ *http.Request, body []byte, in any, within protocol.Within) error {
	if len(body) == 0 {
		return nil
	}
	return UnmarshalWithin(body, in, within)
}

func (p Protocol) Encode(dst []byte, _ *model.Service, _ *model.Operation, h http.Header, _ string, out any) ([]byte, error) {
	h.Set("Content-Type", p.contentType)
	return Append(dst, out)
}

// Fault returns {"__type":…,"message":…}, or __type and a modelled error's members.
func (p Protocol) Fault(h http.Header, _ string, f protocol.Fault) []byte {
	h.Set("Content-Type", p.contentType)
	return AppendFault(nil, f)
}

// AppendFault appends an error as an object.
func AppendFault(dst []byte, f protocol.Fault) []byte {
	typed := Object("__type", f.Code)
	if f.Err != nil && reflect.Indirect(reflect.ValueOf(f.Err)).Kind() == reflect.Struct {
		if members, err := Marshal(f.Err); err == nil && len(members) > len("{}") {
			return append(append(append(dst, typed[:len(typed)-1]...), ','), members[1:]...)
		}
	}
	return append(dst, Object("__type", f.Code, "message", f.Message)...)
}

// Object returns an object of strings, in the given order.
func Object(pairs ...string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, s := range pairs {
		b.WriteByte("{:,:"[min(i, 2+i%2)])
		_ = enc.Encode(s) // a string never fails; invalid UTF-8 is replaced
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// Status returns 400, for every error of a client.
func (p Protocol) Status(protocol.Fault) int { return http.StatusBadRequest }

// Malformed returns the error code for a body that can't be decoded.
func (p Protocol) Malformed() string { return "SerializationException" }
