package rpccbor

import (
	"net/http"
	"reflect"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// Protocol is RPC v2 CBOR.
type Protocol struct{}

// Decode treats an empty body as an input without members.
func (Protocol) Decode(_ *model.Operation, _ *http.Request, body []byte, in any, within protocol.Within) error {
	if len(body) == 0 {
		return nil
	}
	return Unmarshal(body, in, within)
}

func (Protocol) Encode(dst []byte, _ *model.Service, _ *model.Operation, h http.Header, _ string, out any) ([]byte, error) {
	mark(h)
	return Append(dst, out)
}

func mark(h http.Header) {
	h.Set("Content-Type", "application/cbor")
	h.Set("Smithy-Protocol", "rpc-v2-cbor")
}

// Fault returns a map of __type, message and a modelled error's members.
func (Protocol) Fault(h http.Header, _ string, f protocol.Fault) []byte {
	mark(h)
	if f.Err != nil {
		if b, err := appendError(f); err == nil {
			return b
		}
	}
	b := appendHead(nil, majorMap, 2)
	b = appendText(appendText(b, "__type"), f.Code)
	return appendText(appendText(b, "message"), f.Message)
}

// appendError appends a modelled error's members after its type.
func appendError(f protocol.Fault) ([]byte, error) {
	v := reflect.Indirect(reflect.ValueOf(f.Err))
	s, err := model.Of(v.Type())
	if err != nil {
		return nil, err
	}
	var there []*model.Member
	for i := range s.Members {
		if m := &s.Members[i]; !protocol.Absent(v.Field(m.Index)) {
			there = append(there, m)
		}
	}
	b := appendHead(nil, majorMap, uint64(1+len(there)))
	b = appendText(appendText(b, "__type"), f.Code)
	for _, m := range there {
		if b, err = appendValue(appendText(b, m.Name), v.Field(m.Index), 1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Status returns 400, for every error of a client.
func (Protocol) Status(protocol.Fault) int { return http.StatusBadRequest }

// Malformed returns the error code for a body that can't be decoded.
func (Protocol) Malformed() string { return "SerializationException" }
