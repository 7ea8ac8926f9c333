package frontdoor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
)

// A service is a Service with its operations.
type service struct {
	Service
	operations map[string]*operation
}

// An operation is a handler method with its declaration.
type operation struct {
	svc   *service
	model *model.Operation
	name  string
	decl  Operation
	in    reflect.Type // a struct
	call  reflect.Value
}

var (
	contextT = reflect.TypeFor[context.Context]()
	errorT   = reflect.TypeFor[error]()
)

func newService(decl Service) (*service, error) {
	if decl.Model == nil || decl.Impl == nil {
		return nil, fmt.Errorf("frontdoor: a service needs Model and Impl, and has %v and %T", decl.Model, decl.Impl)
	}
	for _, required := range []struct{ what, v string }{{"Name", decl.Model.Name}, {"SigningName", decl.Model.SigningName}} {
		if required.v == "" {
			return nil, fmt.Errorf("frontdoor: service %q has no %s", decl.Model.Name, required.what)
		}
	}
	if names := decl.Model.OperationNames(); !slices.IsSorted(names) {
		return nil, fmt.Errorf("frontdoor: the operations of %s are not in order: %v", decl.Model.Name, names)
	}
	svc := &service{decl, map[string]*operation{}}
	impl := reflect.ValueOf(decl.Impl)
	var errs []error
	for i := range impl.NumMethod() {
		name, method := impl.Type().Method(i).Name, impl.Method(i)
		if !isHandler(method.Type()) {
			continue
		}
		op, ok := decl.Operations[name]
		if !ok || op.Action == "" {
			errs = append(errs, fmt.Errorf("frontdoor: %s %s has a handler but doesn't declare what authorizes it", decl.Model.Name, name))
			continue
		}
		modelled := decl.Model.Operation(name)
		if modelled == nil {
			errs = append(errs, fmt.Errorf("frontdoor: %s has no operation %s", decl.Model.Name, name))
			continue
		}
		svc.operations[name] = &operation{svc: svc, model: modelled, name: name, decl: op, in: method.Type().In(1).Elem(), call: method}
	}
	for name := range decl.Operations {
		if m := impl.MethodByName(name); !m.IsValid() || !isHandler(m.Type()) {
			errs = append(errs, fmt.Errorf("frontdoor: %s %s is declared but %T has no handler for it", decl.Model.Name, name, decl.Impl))
		}
	}
	return svc, errors.Join(errs...)
}

// Handlers returns the names of the operations for which impl has handlers, in order.
func Handlers(impl reflect.Type) []string {
	var names []string
	for i := range impl.NumMethod() {
		if m := impl.Method(i); isHandler(reflect.Zero(impl).Method(i).Type()) {
			names = append(names, m.Name)
		}
	}
	return names
}

// isHandler reports whether a bound method has the SDK's signature.
func isHandler(t reflect.Type) bool {
	isStructPointer := func(t reflect.Type) bool {
		return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
	}
	return t.NumIn() == 2 && t.NumOut() == 2 && !t.IsVariadic() &&
		t.In(0) == contextT && isStructPointer(t.In(1)) && isStructPointer(t.Out(0)) && t.Out(1) == errorT
}

// decode decodes a request's input. It adds the input's memory to the running loan.
func (x *exchange) decode(ctx context.Context, op *operation, body []byte) (any, error) {
	in := reflect.New(op.in).Interface()
	before := x.running.Size()
	err := x.target.protocol.Decode(op.model, x.r, body, in, protocol.Within{Memory: documentMemory, Hold: func(bytes int) error {
		return x.running.Resize(ctx, before+int64(bytes))
	}})
	if err == nil || ctx.Err() != nil {
		return in, ctx.Err()
	}
	if refused := busy(err); refused != err {
		return nil, refused
	}
	var e *protocol.Error
	if !errors.As(err, &e) {
		return nil, err
	}
	return nil, clientError(x.target.protocol.Malformed(), e.Error())
}

// call authorizes and checks an input and runs the operation's handler.
func (s *Server) call(ctx context.Context, op *operation, c Caller, in any) (any, error) {
	st := &state{fresh: s.cfg.Auth.Fresh}
	ctx = withState(ctx, st)
	if err := s.authorizeOperation(ctx, op, c, in); err != nil {
		return nil, err
	}
	if snap := st.loaded(); snap != nil { // the decision depends on this snapshot
		callCtx := ctx
		ctx = store.WithCheck(ctx, func(newer *store.Snapshot) error {
			if newer == snap {
				return nil
			}
			return s.authorizeOperation(WithSnapshot(callCtx, newer), op, c, in)
		})
	}
	if op.decl.Check != nil {
		if err := op.decl.Check(in); err != nil {
			return nil, err
		}
	}
	res := op.call.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(in)})
	if err, _ := res[1].Interface().(error); err != nil {
		return nil, err
	}
	return res[0].Interface(), nil
}

// authorizeOperation authorizes an operation, and its declared further needs.
func (s *Server) authorizeOperation(ctx context.Context, op *operation, c Caller, in any) error {
	resources := []string{"*"}
	if op.decl.Resources != nil {
		found, err := op.decl.Resources(ctx, c, in)
		if err != nil {
			return err
		}
		if len(found) > 0 { // with an empty list, nothing would be authorized
			resources = found
		}
	}
	request := identity.Request{Caller: c.Principal, Action: op.decl.Action, Resources: resources}
	if op.decl.Context != nil {
		request.Context = func(key string) []string { return op.decl.Context(c, in, key) }
	}
	if err := s.authorizeRequest(ctx, op, c, in, request); err != nil {
		return err
	}
	if op.decl.Further == nil {
		return nil
	}
	needs, err := op.decl.Further(ctx, c, in)
	if err != nil {
		return err
	}
	for _, n := range needs {
		request := identity.Request{Caller: c.Principal, Action: n.Action, Resources: n.Resources, Context: op.partContext}
		if err := s.authorizeRequest(ctx, op, c, in, request); err != nil {
			return err
		}
	}
	return nil
}

// partContext returns the values of the condition keys for a need that is a part of the
// operation.
func (op *operation) partContext(key string) []string {
	if key == identity.KeyCreateAction {
		return []string{op.name}
	}
	return nil
}

// authorizeRequest authorizes one request of an operation. It adds the condition keys
// of the operation and of its service's tags.
func (s *Server) authorizeRequest(ctx context.Context, op *operation, c Caller, in any, r identity.Request) error {
	if tags := op.svc.Tags; tags != nil {
		own := r.Context
		r.Context = func(key string) []string {
			if own != nil {
				if v := own(key); v != nil {
					return v
				}
			}
			return tags.requestTagValues(in, key)
		}
		if tags.OfResource != nil {
			r.Tags = func(resource string) ([]identity.Tag, error) {
				snap, err := Snapshot(ctx)
				if err != nil {
					return nil, err
				}
				return tags.OfResource(snap, resource)
			}
		}
	}
	return s.authorize(ctx, c, r)
}

func (s *Server) authorize(ctx context.Context, c Caller, r identity.Request) error {
	d, err := authorize(ctx, s.cfg.Auth, c, r)
	if err != nil {
		return fmt.Errorf("authorize %s: %w", r.Action, err)
	}
	if denied, ok := errors.AsType[*identity.Denied](d.Err()); ok {
		return clientError("AccessDeniedException", denied.Message)
	}
	return nil
}

// Authorize authorizes a request of a mounted handler and records the decision for the
// call's log line. The caller comes from the context.
func Authorize(ctx context.Context, auth Authorizer, r identity.Request) (identity.Decision, error) {
	return authorize(ctx, auth, CallerFrom(ctx), r)
}

func authorize(ctx context.Context, auth Authorizer, c Caller, r identity.Request) (identity.Decision, error) {
	if r.Context == nil {
		r.Context = c.Values
	} else {
		own := r.Context
		r.Context = func(key string) []string {
			if v := own(key); v != nil {
				return v
			}
			return c.Values(key)
		}
	}
	d, err := decide(ctx, auth, r)
	if err == nil {
		c.trail.record(r, d)
	}
	return d, err
}

// decide decides a request. If the call already has a snapshot, decide uses it. So one
// state decides everything about a call.
func decide(ctx context.Context, auth Authorizer, r identity.Request) (identity.Decision, error) {
	st := stateOf(ctx)
	if snap := st.loaded(); snap != nil {
		return auth.Decide(snap, r)
	}
	d, err := auth.Authorize(ctx, r)
	if snap := st.loaded(); snap != nil { // a condition has read the snapshot
		return auth.Decide(snap, r)
	}
	return d, err
}

func clientError(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultClient}
}

// newUnservedError returns the error for an operation of svc without a handler.
func (svc *service) newUnservedError(name string) error {
	if svc.Model.Operation(name) != nil {
		code, message := Refusal(svc.Model.Name, name)
		return clientError(code, message)
	}
	return clientError("UnknownOperationException", fmt.Sprintf("The service %s has no operation %q here.", svc.Model.Name, name))
}

// Refusal returns the code and the message of the error for an operation that the
// service has, but that is not served here yet.
func Refusal(service, operation string) (code, message string) {
	return "UnsupportedOperationException",
		fmt.Sprintf("The operation %s of %s is not served by this installation yet. docs/coverage.md lists what is.", operation, service)
}
