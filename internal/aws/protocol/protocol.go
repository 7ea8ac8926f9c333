package protocol

import (
	"net/http"

	"github.com/ashore/ashore/internal/aws/model"
)

// A Protocol is a way of AWS to put calls into HTTP, as the server sees it.
type Protocol interface {
	// Decode reads the input of an operation into in, a pointer to its struct.
	// Every error that the request causes is an *Error.
	Decode(op *model.Operation, r *http.Request, body []byte, in any, within Within) error
	// Encode appends the answer's body to dst and sets its headers.
	Encode(dst []byte, svc *model.Service, op *model.Operation, h http.Header, requestID string, out any) ([]byte, error)
	// Fault is the body of an error, whose headers it sets.
	Fault(h http.Header, requestID string, f Fault) []byte
	// Status is the HTTP status of an error that names none.
	Status(Fault) int
	// Malformed is the code of an input that can't be decoded.
	Malformed() string
}

// A Fault is an error as it is answered.
type Fault struct {
	// Status is the HTTP status, 0 where the protocol or the model decides.
	Status int
	// ModelStatus is what the service's model says, 0 for nothing. JSON and CBOR
	// don't heed it.
	ModelStatus int
	Code        string
	Message     string
	Err         any // a modelled error, for its members beside the message; or nil
}

// StatusOf is the status that all protocols but JSON and CBOR answer an error with:
// what the model says, 403 where the caller is not known or may not, 400 otherwise.
func StatusOf(f Fault) int {
	if f.ModelStatus != 0 {
		return f.ModelStatus
	}
	switch f.Code {
	case "MissingAuthenticationTokenException", "InvalidSignatureException", "UnrecognizedClientException", "AccessDeniedException":
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}
