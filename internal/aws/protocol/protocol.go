package protocol

import (
	"net/http"

	"github.com/ashore/ashore/internal/aws/model"
)

// A Protocol is one of AWS's ways to send calls over HTTP, on the server's side.
type Protocol interface {
	// Decode decodes the input of an operation into in, a pointer to its struct. It
	// returns an *Error for everything that is wrong with the request.
	Decode(op *model.Operation, r *http.Request, body []byte, in any, within Within) error
	// Encode appends the answer's body to dst and sets its headers.
	Encode(dst []byte, svc *model.Service, op *model.Operation, h http.Header, requestID string, out any) ([]byte, error)
	// Fault returns the body of an error and sets its headers.
	Fault(h http.Header, requestID string, f Fault) []byte
	// Status returns the HTTP status of an error that has none of its own.
	Status(Fault) int
	// Malformed returns the error code for an input that can't be decoded.
	Malformed() string
}

// A Fault is an error for the client.
type Fault struct {
	// Status is the HTTP status. 0 means that the protocol or the model decides.
	Status int
	// ModelStatus is the status in the service's model, 0 for none. JSON and CBOR
	// ignore it.
	ModelStatus int
	Code        string
	Message     string
	Err         any // a modelled error, for its further members; or nil
}

// StatusOf returns the status of an error in all protocols except JSON and CBOR: the
// model's status, 403 if the caller is unknown or not allowed, else 400.
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
