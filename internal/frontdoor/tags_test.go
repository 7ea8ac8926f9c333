package frontdoor

import (
	"fmt"
	"testing"

	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Conditions see the tags of an input by the keys that all services have.
func TestRequestTags(t *testing.T) {
	tag := func(k, v string) types.Tag { return types.Tag{Key: aws.String(k), Value: aws.String(v)} }
	type mapped struct{ Tags map[string]string }
	own := &Tags{OfInput: func(any) ([]identity.Tag, []string) { return []identity.Tag{{Key: "A", Value: "own"}}, nil }}
	for _, x := range []struct {
		tags *Tags
		in   any
		want string // aws:RequestTag/a, aws:TagKeys
	}{
		{&Tags{}, &ecs.TagResourceInput{Tags: []types.Tag{tag("a", "1"), tag("B", "2"), tag("A", "3")}}, "[1 3] [a B A]"},
		{&Tags{}, &ecs.TagResourceInput{Tags: []types.Tag{{Key: aws.String("a")}}}, "[] [a]"},
		{&Tags{}, &ecs.UntagResourceInput{TagKeys: []string{"a", "b"}}, "[] [a b]"},
		{&Tags{}, &ecs.ListTasksInput{}, "[] []"},
		{&Tags{}, &mapped{map[string]string{"a": "1"}}, "[1] [a]"},
		{&Tags{}, &mapped{}, "[] []"},
		{own, &ecs.ListTasksInput{}, "[own] [A]"},
	} {
		got := fmt.Sprint(x.tags.requestTagValues(x.in, "aws:requesttag/a"), x.tags.requestTagValues(x.in, "aws:tagkeys"))
		if got != x.want {
			t.Errorf("%T: %s, want %s", x.in, got, x.want)
		}
		if v := x.tags.requestTagValues(x.in, "aws:sourceip"); v != nil {
			t.Errorf("%T: another key is %v", x.in, v)
		}
	}
}
