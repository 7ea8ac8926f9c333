package ecs_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// unchecked lets the client send what its own checks would refuse.
func unchecked(o *sdk.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		_, err := s.Initialize.Remove("OperationInputValidation")
		return err
	})
}

// send calls an operation by name with an empty input but what fill puts there.
func send(ctx context.Context, c *sdk.Client, operation string, fill func(in reflect.Value)) error {
	m := reflect.ValueOf(c).MethodByName(operation)
	in := reflect.New(m.Type().In(1).Elem())
	fill(in.Elem())
	out := m.Call([]reflect.Value{reflect.ValueOf(ctx), in, reflect.ValueOf(unchecked)})
	err, _ := out[1].Interface().(error)
	return err
}

// Every operation refuses an input that lacks what the model requires, and names
// it, by ECS's own text or by the model's rule.
func TestRequiredMembers(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "default")
	for name, op := range ecsapi.New(ecsapi.Config{Store: a.Store}).Frontdoor().Operations {
		if op.Check == nil {
			continue // an agent's
		}
		m, _ := reflect.TypeFor[*sdk.Client]().MethodByName(name)
		in := reflect.New(m.Type.In(2).Elem())
		first := ""
		for v := range shape.Violations(in.Interface()) {
			first = v.Path
			break
		}
		if first == "" {
			continue
		}
		err := send(t.Context(), a.Client, name, func(reflect.Value) {})
		var api smithy.APIError
		if !errors.As(err, &api) || !slices.Contains([]string{"InvalidParameterException", "ClientException"}, api.ErrorCode()) {
			t.Errorf("%s without %s: %v", name, first, err)
		} else if name != "RegisterTaskDefinition" && !mentions(api.ErrorMessage(), first) {
			t.Errorf("%s without %s: %s", name, first, api.ErrorMessage())
		}
	}
}

// mentions says whether a message names a member, by its name or in words:
// "containerInstances" or "Container instances".
func mentions(message, member string) bool {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	return strings.Contains(plain(message), plain(member))
}

// Without Operation.Check in the front door both are taken for something else
// (seen).
func TestUnknownEnums(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	_, err := a.Client.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("t"), PropagateTags: "ALL"})
	apitest.WantError[*types.InvalidParameterException](t, err, `propagateTags must be TASK_DEFINITION, SERVICE or NONE, not "ALL".`)
	_, err = a.Client.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("f"), ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("c"), Image: aws.String("i"), Memory: aws.Int32(8), Ulimits: []types.Ulimit{{Name: "heat"}},
		}},
	})
	apitest.WantError[*types.ClientException](t, err, "containerDefinitions[0].ulimits[0].name must be core, cpu,")
}

// An agent is never refused over a value that is new to us: it would repeat it
// for ever.
func TestAgentsMayKnowMore(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	_, host := a.Register("h", "c", types.Attribute{Name: aws.String("a"), TargetType: "host"})
	run := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}))
	apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{
		Cluster: aws.String("c"), Task: run.Tasks[0].TaskArn, Status: aws.String("RUNNING"),
		Containers: []types.ContainerStateChange{{
			ContainerName: aws.String("c"), Status: aws.String("RUNNING"), NetworkBindings: []types.NetworkBinding{{Protocol: "sctp"}},
		}},
		ManagedAgents: []types.ManagedAgentStateChange{{ManagedAgentName: "new", ContainerName: aws.String("c"), Status: aws.String("RUNNING")}},
	}, unchecked))
}

// What is left to a handler's own words is really required.
func TestOwnTextsAreOfRequiredMembers(t *testing.T) {
	for name, members := range ecsapi.OwnText {
		m, ok := reflect.TypeFor[*sdk.Client]().MethodByName(name)
		if !ok {
			t.Errorf("there is no %s", name)
			continue
		}
		var required []string
		for v := range shape.Violations(reflect.New(m.Type.In(2).Elem()).Interface()) {
			required = append(required, v.Member())
		}
		for _, member := range members {
			if !slices.Contains(required, member) {
				t.Errorf("%s: %s is not required", name, member)
			}
		}
	}
}
