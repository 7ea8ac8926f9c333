package sigv4

import "fmt"

// A Code is why a request was refused, by AWS's name in the JSON protocols.
// Each protocol has its own spelling of some.
type Code string

const (
	MissingAuthenticationToken Code = "MissingAuthenticationTokenException"
	IncompleteSignature        Code = "IncompleteSignatureException"
	InvalidSignature           Code = "InvalidSignatureException"
	UnrecognizedClient         Code = "UnrecognizedClientException"
)

// Error is a refusal, in AWS's words where it has some.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// UnknownToken is AWS's message for credentials that it doesn't know.
const UnknownToken = "The security token included in the request is invalid."

const mismatch = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

const payloadMismatch = "The provided X-Amz-Content-Sha256 header does not match what was computed of the payload."
