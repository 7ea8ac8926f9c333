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

// A fault is an error together with the way in which it is answered.
type fault struct {
	protocol.Fault
	// detail is only for the log.
	detail error
	// isPublic says that the message tells everything. Such a fault gets no line in the
	// log, because it may occur a thousand times a second.
	isPublic bool
}

// faultOf converts a handler's error. A client's fault is answered unchanged. An error
// with a text for callers is answered with that text. Any other error is answered
// without its cause.
func faultOf(err error) fault {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorFault() != smithy.FaultServer {
		f := fault{Fault: protocol.Fault{Code: api.ErrorCode(), Message: api.ErrorMessage()}, detail: err}
		if t := reflect.TypeOf(api); t.Kind() == reflect.Pointer && path.Base(t.Elem().PkgPath()) == "types" {
			f.Err = api // a shape of the SDK, which may have more members than its message
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
	var public interface{ Public() string }
	switch {
	case errors.As(err, &public):
		f.Message, f.isPublic = public.Public(), true
	case errors.Is(err, context.DeadlineExceeded):
		f.Message = "The request could not be processed in time."
	}
	return f
}
