package frontdoor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"

	"github.com/ashore/ashore/internal/identity"
)

// A call in the process is authorized as its principal, reaches the handler with that
// principal, and fails like a client's call.
func TestCallInProcess(t *testing.T) {
	d := open(t)
	p := identity.Principal{ARN: "arn:aws:iam::000000000000:role/scheduler"}
	var caller Caller
	d.ecs.list = func(ctx context.Context, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		caller = CallerFrom(ctx)
		if aws.ToString(in.Cluster) == "panic" {
			panic("at the handler")
		}
		return &ecs.ListTasksOutput{TaskArns: []string{aws.ToString(in.Cluster)}}, nil
	}
	s, err := New(config(d))
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Call(t.Context(), p, "ecs", "ListTasks", &ecs.ListTasksInput{Cluster: aws.String("c")})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.(*ecs.ListTasksOutput).TaskArns; len(got) != 1 || got[0] != "c" {
		t.Errorf("answered %v", got)
	}
	if caller.Principal != p || caller.Operation != "ListTasks" || caller.Service != "ecs" || caller.RequestID == "" {
		t.Errorf("the handler saw %+v", caller)
	}
	if asked := strings.Join(d.id.asked, "; "); !strings.Contains(asked, "ecs:ListTasks") || !strings.Contains(asked, "cluster/c") {
		t.Errorf("authorization was asked for %s", asked)
	}
	if !strings.Contains(d.log.String(), p.ARN) {
		t.Error("the log does not name who called")
	}
	for _, x := range []struct {
		service, operation string
		in                 any
		want               string
	}{
		{"ecs", "ListTasks", &ecs.RunTaskInput{}, "takes a *ecs.ListTasksInput"},
		{"ecs", "ListTasks", ecs.ListTasksInput{}, "takes a *ecs.ListTasksInput"},
		{"ecs", "RunTask", &ecs.RunTaskInput{}, "is not served by this installation yet"},
		{"ecs", "MakeCoffee", &ecs.RunTaskInput{}, "has no operation"},
		{"sqs", "SendMessage", &ecs.RunTaskInput{}, "is not served"},
		{"ecs", "ListTasks", &ecs.ListTasksInput{Cluster: aws.String("panic")}, "panic: at the handler"},
	} {
		if _, err := s.Call(t.Context(), p, x.service, x.operation, x.in); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s %s: %v, want %s", x.service, x.operation, err, x.want)
		}
	}
	d.id.deny = &identity.Denied{Message: "no"}
	_, err = s.Call(t.Context(), p, "ecs", "ListTasks", &ecs.ListTasksInput{})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" {
		t.Errorf("denied: %v", err)
	}
}
