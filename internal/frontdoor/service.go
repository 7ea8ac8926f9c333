package frontdoor

import (
	"context"
	"fmt"

	"github.com/ashore/ashore/internal/aws/model"
)

// A Service is one API that is served here.
type Service struct {
	// Model is the API: its names on the wire, and all of its operations, also
	// those that Impl has no handler for. A call of one of these is refused as not
	// served yet, any other as unknown.
	Model *model.Service

	// Impl holds the handlers. Every exported method of the SDK's signature,
	//
	//	func (s *T) RunTask(ctx context.Context, in *ecs.RunTaskInput) (*ecs.RunTaskOutput, error)
	//
	// is the operation of its name. A handler answers an error of the SDK's
	// types package or any other smithy.APIError; anything else is a 500 whose
	// detail stays in the log.
	Impl any

	// Operations says, for each method of Impl, what authorization needs. New
	// fails where the two differ.
	Operations map[string]Operation
}

// An Operation declares what happens before a handler runs: above all, what
// authorization needs to know.
type Operation struct {
	Action string // "ecs:RunTask"
	// Resources are the ARNs that a request touches, or "*" where it touches
	// nothing that has one. An error refuses the request as a handler's does.
	// Nil means "*".
	Resources func(ctx context.Context, c Caller, in any) ([]string, error)
	// Further are what a request needs besides Action, such as ecs:TagResource
	// where it makes something with tags. They are asked for as parts of this
	// operation, by the key ecs:CreateAction: a policy can tell them from calls of
	// their own. Nil: nothing.
	Further func(ctx context.Context, c Caller, in any) ([]Need, error)
	// Context gives the values of condition keys that only the operation knows, such
	// as whose things an input is about; nil for a key that is none of them. Names of
	// keys are in lower case. Nil: there are none.
	Context func(c Caller, in any, key string) []string
	// BodyLimit is the largest body in bytes, also once it is decompressed; 0: the
	// front door's.
	BodyLimit int64
	// Check refuses an input that is wrong by itself, after authorization and
	// before the handler. Nil: the handler says it all.
	Check func(in any) error
}

// With is the operation with the condition keys that only it knows: see Context.
func (op Operation) With(context func(c Caller, in any, key string) []string) Operation {
	op.Context = context
	return op
}

// A Need is an action on resources that a caller must be allowed.
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

// OpE is Op for resources that can be wrong by themselves, such as a malformed
// ARN.
func OpE[In any](action string, resources func(ctx context.Context, c Caller, in *In) ([]string, error)) Operation {
	return Operation{Action: action, Resources: func(ctx context.Context, c Caller, in any) ([]string, error) {
		typed, ok := in.(*In)
		if !ok {
			return nil, fmt.Errorf("frontdoor: %s is declared for %T, not %T", action, new(In), in)
		}
		return resources(ctx, c, typed)
	}}
}
