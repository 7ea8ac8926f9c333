package frontdoor

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/ashore/ashore/internal/identity"
)

// Call calls an operation in this process as a principal. Schedules, rules and
// templates use it. The call is authorized, checked, bounded in time and logged like a
// call over the network, but it has no signature and no protocol. in is a pointer to
// the operation's input. out is a pointer to its output. The error is the one that a
// client would get.
func (s *Server) Call(ctx context.Context, p identity.Principal, service, operation string, in any) (out any, err error) {
	var t trail
	c := Caller{Principal: p, RequestID: uuid.NewString(), Service: service, Operation: operation, trail: &t}
	began := time.Now()
	defer func() {
		if v := recover(); v != nil {
			s.cfg.Log.Error("panic", "service", service, "operation", operation, "request", c.RequestID, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			out, err = nil, fmt.Errorf("%s of %s: panic: %v", operation, service, v)
		}
		l := line{caller: c, service: service, operation: operation, trail: &t, began: began, more: []any{"from", "this process"}}
		if err != nil {
			l.code = faultOf(err).Code
		}
		s.write(l)
	}()
	svc := s.named(service)
	if svc == nil {
		return nil, clientError("UnsupportedOperationException", "The service "+service+" is not served by this installation.")
	}
	op := svc.operations[operation]
	if op == nil {
		return nil, svc.newUnservedError(operation)
	}
	if t := reflect.TypeOf(in); t != reflect.PointerTo(op.in) {
		return nil, fmt.Errorf("frontdoor: %s of %s takes a *%s, not a %T", operation, service, op.in, in)
	}
	s.calls.RLock()
	defer s.calls.RUnlock()
	ctx, cancel := context.WithTimeout(WithCaller(ctx, c), s.cfg.HandlerTimeout)
	defer cancel()
	return s.call(ctx, op, c, in)
}
