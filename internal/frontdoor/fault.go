package frontdoor

import (
	"context"
	"errors"
	"net/http"
	"path"
	"reflect"

	"github.com/aws/smithy-go"

	"github.com/ashore/ashore/internal/aws/json11"
	"github.com/ashore/ashore/internal/aws/sigv4"
)

// A fault is an error as it is answered.
type fault struct {
	status  int // 0: 400, or what the protocol has for such a code
	code    string
	message string
	members []byte // a modelled error's own members, as a JSON object
	// detail is for the log alone.
	detail error
	// told: the message says all that there is to say. It is no line in the log,
	// and may come a thousand times a second.
	told bool
}

// faultOf maps a handler's error: client faults are answered as they are, an error
// that has a text for its caller by that text, and of everything else only that it
// happened.
func faultOf(err error) fault {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorFault() != smithy.FaultServer {
		f := fault{status: http.StatusBadRequest, code: api.ErrorCode(), message: api.ErrorMessage(), detail: err}
		if t := reflect.TypeOf(api); t.Kind() == reflect.Pointer && path.Base(t.Elem().PkgPath()) == "types" {
			// A shape of the SDK: it may have more members than its message.
			if members, err := json11.Marshal(api); err == nil {
				f.members = members
			}
		}
		return f
	}
	f := fault{
		status: http.StatusInternalServerError, code: "ServerException", detail: err,
		message: "The request could not be processed because of an internal error.",
	}
	var told interface{ Public() string }
	switch {
	case errors.As(err, &told):
		f.message, f.told = told.Public(), true
	case errors.Is(err, context.DeadlineExceeded):
		f.message = "The request could not be processed in time."
	}
	return f
}

// queryCodes are the spellings of the Query protocol, where they differ from
// those of JSON.
var queryCodes = map[string]string{
	string(sigv4.MissingAuthenticationToken): "MissingAuthenticationToken",
	string(sigv4.IncompleteSignature):        "IncompleteSignature",
	string(sigv4.InvalidSignature):           "SignatureDoesNotMatch",
	string(sigv4.UnrecognizedClient):         "InvalidClientTokenId",
	"UnsupportedOperationException":          "UnsupportedOperation",
	"UnknownOperationException":              "InvalidAction",
	"AccessDeniedException":                  "AccessDenied",
	"ServerException":                        "InternalFailure",
}

// s3Codes are S3's spellings, where they differ from those of Query.
var s3Codes = map[string]string{
	string(sigv4.MissingAuthenticationToken): "AccessDenied",
	string(sigv4.IncompleteSignature):        "AuthorizationHeaderMalformed",
	string(sigv4.UnrecognizedClient):         "InvalidAccessKeyId",
	"ServerException":                        "InternalError",
	"RequestEntityTooLarge":                  "EntityTooLarge",
}

// forbidden are the codes that all protocols but JSON answer with 403.
var forbidden = map[string]bool{
	string(sigv4.MissingAuthenticationToken): true,
	string(sigv4.InvalidSignature):           true,
	string(sigv4.UnrecognizedClient):         true,
	"AccessDeniedException":                  true,
}
