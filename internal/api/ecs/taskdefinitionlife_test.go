package ecs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func deregister(t *testing.T, a *apitest.API, ref string) *types.TaskDefinition {
	t.Helper()
	return apitest.Must[*sdk.DeregisterTaskDefinitionOutput](t)(a.Client.DeregisterTaskDefinition(t.Context(), &sdk.DeregisterTaskDefinitionInput{TaskDefinition: &ref})).TaskDefinition
}

func deleted(t *testing.T, a *apitest.API, refs ...string) *sdk.DeleteTaskDefinitionsOutput {
	t.Helper()
	return apitest.Must[*sdk.DeleteTaskDefinitionsOutput](t)(a.Client.DeleteTaskDefinitions(t.Context(), &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: refs}))
}

func TestDeleteTaskDefinitions(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	for range 4 {
		apitest.RegisterSleep(t, a)
	}
	arn := apitest.Site.TaskDefinitionARN("sleep", 2)
	deregister(t, a, "sleep:1")
	deregister(t, a, arn)
	if again := deregister(t, a, arn); again.Status != types.TaskDefinitionStatusInactive || again.DeregisteredAt == nil {
		t.Errorf("deregistered twice: %s", again.Status)
	}

	out := deleted(t, a, "sleep:1", arn, "sleep:2", "sleep:3", "sleep:9")
	var got []string
	for _, d := range out.TaskDefinitions {
		got = append(got, fmt.Sprintln(d.Revision, d.Status, d.DeleteRequestedAt != nil, d.DeregisteredAt != nil))
	}
	for _, f := range out.Failures {
		got = append(got, (*f.Arn)[strings.LastIndexByte(*f.Arn, ':')+1:]+" "+*f.Reason)
	}
	want := []string{
		"1 DELETE_IN_PROGRESS true true\n", "2 DELETE_IN_PROGRESS true true\n",
		"3 The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
		"9 The specified task definition does not exist. Specify a valid account, family, revision and try again.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("deleted: %q", got)
	}
	if once := deleted(t, a, "sleep:1"); len(once.TaskDefinitions) != 1 || len(once.Failures) != 0 {
		t.Errorf("deleted twice: %+v", once.Failures)
	}
	describe := func(ref string) (*sdk.DescribeTaskDefinitionOutput, error) {
		return c.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: &ref})
	}
	if d := apitest.Must[*sdk.DescribeTaskDefinitionOutput](t)(describe("sleep:1")).TaskDefinition; d.Status != types.TaskDefinitionStatusDeleteInProgress {
		t.Errorf("described: %s", d.Status)
	}
	_, err := c.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("sleep:1")})
	apitest.WantError[*types.ClientException](t, err, "DELETE_IN_PROGRESS")
	apitest.CreateCluster(t, a, "c")
	a.Register("h", "c")
	_, err = c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep:1")})
	apitest.WantError[*types.ClientException](t, err, "TaskDefinition is inactive")

	families := func(status types.TaskDefinitionFamilyStatus) string {
		return fmt.Sprint(apitest.Must[*sdk.ListTaskDefinitionFamiliesOutput](t)(c.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{Status: status})).Families)
	}
	revisions := func(status types.TaskDefinitionStatus) int {
		return len(apitest.Must[*sdk.ListTaskDefinitionsOutput](t)(c.ListTaskDefinitions(ctx, &sdk.ListTaskDefinitionsInput{Status: status})).TaskDefinitionArns)
	}
	if n := revisions("DELETE_IN_PROGRESS"); n != 2 {
		t.Errorf("%d are listed as being deleted", n)
	}
	for _, ref := range []string{"sleep:3", "sleep:4"} {
		deregister(t, a, ref)
		deleted(t, a, ref)
	}
	_, err = describe("sleep")
	apitest.WantError[*types.ClientException](t, err, "Unable to describe task definition.")
	if got := families("ALL") + families("INACTIVE") + families("ACTIVE"); got != "[sleep][sleep][]" {
		t.Errorf("families while they are being deleted: %s", got)
	}
	apitest.Bury(t, a, "sleep", 1, 2, 3, 4)
	if got := families("ALL") + families("INACTIVE"); got != "[][]" {
		t.Errorf("families without a revision: %s", got)
	}
	_, err = describe("sleep:1")
	apitest.WantError[*types.ClientException](t, err, "Unable to describe task definition.")
	apitest.RegisterSleep(t, a)
	if d := apitest.Must[*sdk.DescribeTaskDefinitionOutput](t)(describe("sleep")).TaskDefinition; d.Revision != 5 {
		t.Errorf("the next revision is %d", d.Revision)
	}
	for _, refs := range [][]string{{}, slices.Repeat([]string{"sleep:5"}, 11)} {
		_, err = c.DeleteTaskDefinitions(ctx, &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: refs})
		apitest.WantError[*types.InvalidParameterException](t, err, "ize of TaskDefinition references list")
	}
}

// A task outlives its definition: it is still described, with what it itself
// says.
func TestTaskOutlivesItsDefinition(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	a.Register("h", "c")
	run := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(t.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}))
	deregister(t, a, "sleep:1")
	deleted(t, a, "sleep:1")
	apitest.Bury(t, a, "sleep", 1)
	out := apitest.Must[*sdk.DescribeTasksOutput](t)(a.Client.DescribeTasks(t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{*run.Tasks[0].TaskArn}}))
	if len(out.Tasks) != 1 || *out.Tasks[0].TaskDefinitionArn != apitest.Site.TaskDefinitionARN("sleep", 1) || len(out.Tasks[0].Containers) != 1 {
		t.Errorf("described: %+v", out)
	}
}

// TestTaskDefinitionPages walks listings of several families and sizes of page,
// in both directions, while revisions change their status between the pages.
func TestTaskDefinitionPages(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	var want []string
	for _, family := range []string{"web", "web-2", "web_2", "Web"} {
		for range 4 {
			apitest.Define(t, a, family, func(*sdk.RegisterTaskDefinitionInput) {})
		}
	}
	for _, family := range []string{"Web", "web", "web-2", "web_2"} {
		for r := 1; r <= 4; r++ {
			want = append(want, fmt.Sprint(family, ":", r))
		}
	}
	walk := func(in sdk.ListTaskDefinitionsInput, between func()) (got []string) {
		t.Helper()
		for {
			out := apitest.Must[*sdk.ListTaskDefinitionsOutput](t)(c.ListTaskDefinitions(ctx, &in))
			for _, arn := range out.TaskDefinitionArns {
				got = append(got, arn[strings.LastIndexByte(arn, '/')+1:])
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return got
			}
			if between != nil {
				between()
				between = nil
			}
		}
	}
	back := slices.Clone(want)
	slices.Reverse(back)
	for size := int32(1); size <= 17; size += 3 {
		if got := walk(sdk.ListTaskDefinitionsInput{MaxResults: &size}, nil); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v", size, got)
		}
		if got := walk(sdk.ListTaskDefinitionsInput{MaxResults: &size, Sort: types.SortOrderDesc}, nil); !slices.Equal(got, back) {
			t.Errorf("pages of %d, the other way round: %v", size, got)
		}
	}
	// The position stays good when what it stands on has left the listing.
	two := int32(2)
	got := walk(sdk.ListTaskDefinitionsInput{MaxResults: &two, FamilyPrefix: aws.String("web")}, func() { deregister(t, a, "web:2"); deregister(t, a, "web:3") })
	if fmt.Sprint(got) != "[web:1 web:2 web:4]" {
		t.Errorf("while it changed: %v", got)
	}
	if got := walk(sdk.ListTaskDefinitionsInput{Status: types.TaskDefinitionStatusInactive, Sort: types.SortOrderDesc}, nil); fmt.Sprint(got) != "[web:3 web:2]" {
		t.Errorf("INACTIVE: %v", got)
	}
	families := apitest.Must[*sdk.ListTaskDefinitionFamiliesOutput](t)(c.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{FamilyPrefix: aws.String("web"), MaxResults: &two}))
	if fmt.Sprint(families.Families) != "[web web-2]" || families.NextToken == nil {
		t.Errorf("families: %+v", families)
	}
	families = apitest.Must[*sdk.ListTaskDefinitionFamiliesOutput](t)(c.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{FamilyPrefix: aws.String("web"), MaxResults: &two, NextToken: families.NextToken}))
	if fmt.Sprint(families.Families) != "[web_2]" || families.NextToken != nil {
		t.Errorf("families: %+v", families)
	}
}
