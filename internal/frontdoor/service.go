package frontdoor

import (
	"context"
	"fmt"

	"github.com/ashore/ashore/internal/aws/model"
)

// A Service is an API that this server serves.
type Service struct {
	// Model is the API: its names on the wire and all of its operations, including
	// those without a handler in Impl. A call of an operation without a handler is
	// refused as not served yet. A call of any other operation is refused as unknown.
	Model *model.Service

	// Impl has the handlers. Every exported method with the SDK's signature,
	//
	//	func (s *T) RunTask(ctx context.Context, in *ecs.RunTaskInput) (*ecs.RunTaskOutput, error)
	//
	// is the operation of that name. A handler returns an error of the SDK's types
	// package or any other smithy.APIError. Any other error is answered with status
	// 500, and only the log gets its details.
	Impl any

	// Operations declares, for each handler of Impl, how its calls are authorized. New
	// fails if a handler or a declaration is missing.
	Operations map[string]Operation

	// Tags says how conditions see the service's tags. Nil: they see none.
	Tags *Tags
}

// An Operation declares what happens before a handler runs, above all how a call is
// authorized.
type Operation struct {
	Action string // "ecs:RunTask"
	// Resources returns the ARNs that a request touches, or "*" if it touches nothing
	// with an ARN. An error refuses the request, as an error of the handler would. It
	// reads records from Snapshot(ctx). Nil means "*".
	Resources func(ctx context.Context, c Caller, in any) ([]string, error)
	// Further returns what a request needs besides Action, such as ecs:TagResource if
	// it creates a resource with tags. Each need is authorized as a part of this
	// operation, with the key ecs:CreateAction. So a policy can distinguish it from a
	// call of its own. Nil: no further needs.
	Further func(ctx context.Context, c Caller, in any) ([]Need, error)
	// Context returns the values of condition keys that only the operation knows, such
	// as the owner of the input's subject. It returns nil for other keys. Key names are
	// in lower case. Nil: the operation has no such keys.
	Context func(c Caller, in any, key string) []string
	// BodyLimit is the largest body in bytes, also after decompression. 0: the front
	// door's limit.
	BodyLimit int64
	// Check refuses a wrong input, after authorization and before the handler. Nil:
	// only the handler checks the input.
	Check func(in any) error
}

// With returns the operation with condition keys that only it knows: see Context.
func (op Operation) With(context func(c Caller, in any, key string) []string) Operation {
	op.Context = context
	return op
}

// A Need is an action on resources for which the caller needs a permission.
type Need struct {
	Action    string
	Resources []string
}

// Op declares an operation whose input is In. A nil resources means "*".
func Op[In any](action string, resources func(ctx context.Context, c Caller, in *In) []string) Operation {
	if resources == nil {
		return Operation{Action: action}
	}
	return OpE(action, func(ctx context.Context, c Caller, in *In) ([]string, error) {
		return resources(ctx, c, in), nil
	})
}

// OpE is Op for resources that may be wrong, such as a malformed ARN.
func OpE[In any](action string, resources func(ctx context.Context, c Caller, in *In) ([]string, error)) Operation {
	return Operation{Action: action, Resources: func(ctx context.Context, c Caller, in any) ([]string, error) {
		typed, ok := in.(*In)
		if !ok {
			return nil, fmt.Errorf("frontdoor: %s is declared for %T, not %T", action, new(In), in)
		}
		return resources(ctx, c, typed)
	}}
}
