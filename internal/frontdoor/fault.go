package frontdoor

import (
	"context"
	"errors"
	"net/http"
	"path"
	"reflect"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// A fault is an error as it is answered.
type fault struct {
	protocol.Fault
	// detail is for the log alone.
	detail error
	// told: the message says all that there is to say. It is no line in the log,
	// and may come a thousand times a second.
	isPublic bool
}

// faultOf maps a handler's error: client faults are answered as they are, an error
// that has a text for its caller by that text, and of everything else only that it
// happened.
func faultOf(err error) fault {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorFault() != smithy.FaultServer {
		f := fault{Fault: protocol.Fault{Code: api.ErrorCode(), Message: api.ErrorMessage()}, detail: err}
		if t := reflect.TypeOf(api); t.Kind() == reflect.Pointer && path.Base(t.Elem().PkgPath()) == "types" {
			f.Err = api // a shape of the SDK: it may have more members than its message
			if s, ok := smithy.SchemaTrait[*traits.HTTPError](model.SchemaOf(t.Elem())); ok {
				f.ModelStatus = s.Code
			}
		}
		return f
	}
	f := fault{Fault: protocol.Fault{
		Status: http.StatusInternalServerError, Code: "ServerException",
		Message: "The request could not be processed because of an internal error.",
	}, detail: err}
	var told interface{ Public() string }
	switch {
	case errors.As(err, &told):
		f.Message, f.isPublic = told.Public(), true
	case errors.Is(err, context.DeadlineExceeded):
		f.Message = "The request could not be processed in time."
	}
	return f
}
