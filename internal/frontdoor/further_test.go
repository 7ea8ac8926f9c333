package frontdoor

import (
	"context"
	"errors"
	"testing"

	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// picky refuses one action.
type picky struct {
	*fakeIdentity
	not string
}

func (p picky) Authorize(ctx context.Context, who identity.Principal, action string, resources []string) error {
	if action == p.not {
		return &identity.Denied{Message: "User: x is not authorized to perform: " + action}
	}
	return p.fakeIdentity.Authorize(ctx, who, action, resources)
}

// What a request needs besides its action is asked too, and no handler runs
// without it. With the loop over needs in run taken out the second call is
// answered (seen).
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
	if !errors.As(err, &denied) || *denied.Message != "User: x is not authorized to perform: ecs:TagResource" || ran != 1 {
		t.Errorf("%v; the handler ran %d times", err, ran)
	}
}
