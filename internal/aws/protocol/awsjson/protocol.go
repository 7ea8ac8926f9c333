package awsjson

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// A Protocol is AWS JSON in one of its versions, which differ in their content
// type alone.
type Protocol struct{ contentType string }

// The versions of AWS JSON.
var (
	JSON10 = Protocol{"application/x-amz-json-1.0"}
	JSON11 = Protocol{"application/x-amz-json-1.1"}
)

// Decode takes no body at all for no members.
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

// Fault is {"__type":…,"message":…}, or __type and a modelled error's own members.
func (p Protocol) Fault(h http.Header, _ string, f protocol.Fault) []byte {
	h.Set("Content-Type", p.contentType)
	return AppendFault(nil, f)
}

// AppendFault writes an error as an object.
func AppendFault(dst []byte, f protocol.Fault) []byte {
	typed := Object("__type", f.Code)
	if f.Err != nil && reflect.Indirect(reflect.ValueOf(f.Err)).Kind() == reflect.Struct {
		if members, err := Marshal(f.Err); err == nil && len(members) > len("{}") {
			return append(append(append(dst, typed[:len(typed)-1]...), ','), members[1:]...)
		}
	}
	return append(dst, Object("__type", f.Code, "message", f.Message)...)
}

// Object writes strings by name, in the order given.
func Object(pairs ...string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, s := range pairs {
		b.WriteByte("{:,:"[min(i, 2+i%2)])
		_ = enc.Encode(s) // a string always can be; invalid UTF-8 is replaced
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// Status is 400 for every error of a client.
func (p Protocol) Status(protocol.Fault) int { return http.StatusBadRequest }

// Malformed is the code of a body that can't be read into the input.
func (p Protocol) Malformed() string { return "SerializationException" }
