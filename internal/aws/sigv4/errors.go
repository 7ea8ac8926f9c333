package sigv4

import "fmt"

// A Code says why a request was refused, with AWS's name in the JSON protocols. Each
// protocol spells some codes differently.
type Code string

const (
	MissingAuthenticationToken Code = "MissingAuthenticationTokenException"
	IncompleteSignature        Code = "IncompleteSignatureException"
	InvalidSignature           Code = "InvalidSignatureException"
	UnrecognizedClient         Code = "UnrecognizedClientException"
)

// Error is a refusal, with AWS's message if AWS has one.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// UnknownToken is AWS's message for unknown credentials.
const UnknownToken = "The security token included in the request is invalid."

const mismatch = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

const payloadMismatch = "The provided X-Amz-Content-Sha256 header does not match what was computed of the payload."
