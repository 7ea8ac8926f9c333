package frontdoor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// picky denies one action.
type picky struct {
	*fakeIdentity
	not string
}

func (p picky) Authorize(ctx context.Context, r identity.Request) (identity.Decision, error) {
	if r.Action == p.not {
		part := r.Context(identity.KeyCreateAction)
		return identity.Refuse(&identity.Denied{Message: "User: x is not authorized to perform: " + r.Action + " as a part of " + strings.Join(part, "")}), nil
	}
	return p.fakeIdentity.Authorize(ctx, r)
}

// Everything that a request needs besides its action is authorized, too, and no handler
// runs without it. Without the loop over needs in call, the second call is answered
// (seen).
func TestFurtherNeeds(t *testing.T) {
	ran := 0
	d := open(t, func(c *Config, d *door) {
		c.Auth = picky{d.id, "ecs:TagResource"}
		op := c.Services[0].Operations["ListTasks"]
		op.Further = func(_ context.Context, _ Caller, in any) ([]Need, error) {
			if in.(*ecs.ListTasksInput).Family == nil {
				return nil, nil
			}
			return []Need{{"ecs:ListTasks", []string{"other"}}, {"ecs:TagResource", []string{"task/*"}}}, nil
		}
		c.Services[0].Operations["ListTasks"] = op
		d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
			ran++
			return &ecs.ListTasksOutput{}, nil
		}
	})
	if _, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{}); err != nil || ran != 1 {
		t.Fatal(err, ran)
	}
	family := "f"
	_, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{Family: &family})
	var denied *types.AccessDeniedException
	if !errors.As(err, &denied) || *denied.Message != "User: x is not authorized to perform: ecs:TagResource as a part of ListTasks" || ran != 1 {
		t.Errorf("%v; the handler ran %d times", err, ran)
	}
}
