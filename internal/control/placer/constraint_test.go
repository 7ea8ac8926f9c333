package placer_test

import (
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var distinct = types.PlacementConstraint{Type: types.PlacementConstraintTypeDistinctInstance}

func TestPlacementConstraints(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	rack := func(v string) types.Attribute { return types.Attribute{Name: aws.String("rack"), Value: &v} }
	one, _ := a.Register("one", "c", rack("1"))
	two, _ := a.Register("two", "c", rack("2"))
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	apitest.Define(t, a, "g", func(in *sdk.RegisterTaskDefinitionInput) {
		in.PlacementConstraints = []types.TaskDefinitionPlacementConstraint{{Type: types.TaskDefinitionPlacementConstraintTypeMemberOf, Expression: aws.String("attribute:rack == 2")}}
	})
	run := func(family string, count int32, group string, constraints ...types.PlacementConstraint) (*sdk.RunTaskOutput, error) {
		in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String(family), Count: &count, PlacementConstraints: constraints}
		if group != "" {
			in.Group = &group
		}
		return c.RunTask(ctx, in)
	}
	on := func(out *sdk.RunTaskOutput) (n1, n2 int) {
		for _, task := range out.Tasks {
			switch *task.ContainerInstanceArn {
			case one:
				n1++
			case two:
				n2++
			}
		}
		return n1, n2
	}
	if n1, n2 := on(apitest.Must[*sdk.RunTaskOutput](t)(run("f", 5, "", apitest.MemberOf("attribute:rack =~ 1|3")))); n1 != 5 {
		t.Errorf("rack 1: %d, %d", n1, n2)
	}
	if n1, n2 := on(apitest.Must[*sdk.RunTaskOutput](t)(run("g", 5, ""))); n2 != 5 {
		t.Errorf("the definition's: %d, %d", n1, n2)
	}
	// The groups of tasks on the hosts, and those of the same call.
	if n1, n2 := on(apitest.Must[*sdk.RunTaskOutput](t)(run("f", 3, "", apitest.MemberOf("task:group == family:g")))); n2 != 3 {
		t.Errorf("beside g: %d, %d", n1, n2)
	}
	out := apitest.Must[*sdk.RunTaskOutput](t)(run("f", 3, "lonely", distinct))
	if n1, n2 := on(out); n1 != 1 || n2 != 1 || len(out.Failures) != 1 || *out.Failures[0].Reason != "DistinctInstance placement constraint unsatisfied." {
		t.Errorf("distinct: %d, %d, %+v", n1, n2, out.Failures)
	}
	if f := apitest.Must[*sdk.RunTaskOutput](t)(run("f", 1, "lonely", distinct)).Failures; len(f) != 1 || !strings.Contains(*f[0].Detail, "a task of the group lonely already") {
		t.Errorf("the next distinct one: %+v", f)
	}
	// One that is to stop doesn't count.
	apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: out.Tasks[0].TaskArn}))
	if again := apitest.Must[*sdk.RunTaskOutput](t)(run("f", 1, "lonely", distinct)); len(again.Tasks) != 1 || *again.Tasks[0].ContainerInstanceArn != *out.Tasks[0].ContainerInstanceArn {
		t.Errorf("beside a stopping one: %+v", again)
	}
	f := apitest.Must[*sdk.RunTaskOutput](t)(run("g", 1, "", apitest.MemberOf("attribute:rack == 1"))).Failures
	if len(f) != 1 || *f[0].Reason != "MemberOf placement constraint unsatisfied." || !strings.Contains(*f[0].Detail, "2 container instances (MemberOf placement constraint unsatisfied. 2)") {
		t.Errorf("contradiction: %+v", f)
	}
	started := apitest.Must[*sdk.StartTaskOutput](t)(c.StartTask(ctx, &sdk.StartTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("g"), ContainerInstances: []string{one, two}}))
	if len(started.Tasks) != 1 || *started.Tasks[0].ContainerInstanceArn != two || *started.Failures[0].Reason != "MemberOf placement constraint unsatisfied." {
		t.Errorf("started: %+v", started)
	}

	_, err := run("f", 1, "", apitest.MemberOf("attribute:rack = 1"))
	apitest.WantError[*types.InvalidParameterException](t, err, `placementConstraints[0].expression is invalid: at position 16: found "="; expected an operator.`)
	_, err = run("f", 1, "", distinct, apitest.MemberOf(""))
	apitest.WantError[*types.InvalidParameterException](t, err, "placementConstraints[1].expression is invalid: at position 1")
	_, err = run("f", 1, "", types.PlacementConstraint{Type: distinct.Type, Expression: aws.String("attribute:a exists")})
	apitest.WantError[*types.InvalidParameterException](t, err, "can't be given with the type distinctInstance")
	var many []types.PlacementConstraint
	for range 10 {
		many = append(many, apitest.MemberOf("attribute:rack exists"))
	}
	apitest.Must[*sdk.RunTaskOutput](t)(run("f", 1, "", many...))
	_, err = run("g", 1, "", many...)
	apitest.WantError[*types.InvalidParameterException](t, err, "at most 10 constraints, not 11")
	_, err = run("f", 1, "", append(many, distinct)...)
	apitest.WantError[*types.InvalidParameterException](t, err, "at most 10 entries, not 11")
}
