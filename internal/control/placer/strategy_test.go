package placer_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func ranked(t types.PlacementStrategyType, field string) types.PlacementStrategy {
	return types.PlacementStrategy{Type: t, Field: aws.String(field)}
}

var (
	spreadZone = ranked(types.PlacementStrategyTypeSpread, "attribute:ecs.availability-zone")
	spreadHost = ranked(types.PlacementStrategyTypeSpread, "instanceId")
	packMemory = ranked(types.PlacementStrategyTypeBinpack, "MEMORY")
)

func zone(v string) types.Attribute {
	return types.Attribute{Name: aws.String("ecs.availability-zone"), Value: &v}
}

func TestPlacementStrategies(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	zones := map[string]string{}
	for i, z := range []string{"a", "a", "a", "b"} {
		arn, _ := a.Register(fmt.Sprint(z, i), "c", zone(z))
		zones[arn] = z
	}
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	run := func(count int32, group string, strategies ...types.PlacementStrategy) (byHost, byZone map[string]int) {
		t.Helper()
		out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{
			Cluster: aws.String("c"), TaskDefinition: aws.String("f"), Count: &count, Group: &group, PlacementStrategy: strategies,
		}))
		if len(out.Tasks) != int(count) {
			t.Fatalf("%d tasks: %+v", len(out.Tasks), out.Failures)
		}
		byHost, byZone = map[string]int{}, map[string]int{}
		for _, task := range out.Tasks {
			byHost[*task.ContainerInstanceArn]++
			byZone[zones[*task.ContainerInstanceArn]]++
		}
		return byHost, byZone
	}
	if _, z := run(6, "even", spreadZone, spreadHost); z["a"] != 3 || z["b"] != 3 {
		t.Errorf("over zones: %v", z)
	}
	// What the next call places goes where the group has least; other groups
	// don't count.
	run(2, "uneven", spreadHost)
	h, _ := run(2, "uneven", spreadHost)
	if len(h) != 2 {
		t.Errorf("over hosts: %v", h)
	}
	if h, _ := run(4, "all", spreadHost); len(h) != 4 {
		t.Errorf("over hosts: %v", h)
	}
	// Stopped ones don't count.
	for task := range a.Store.Snapshot().Tasks("c", "") {
		if task.Group == "even" && zones["arn:aws:ecs:us-east-1:000000000000:container-instance/c/"+task.Instance] == "a" {
			apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: &task.ID}))
		}
	}
	if _, z := run(3, "even", spreadZone); z["a"] != 3 {
		t.Errorf("where tasks were stopped: %v", z)
	}
	// One host is filled: the one that has least left.
	h, _ = run(3, "packed", packMemory)
	if len(h) != 1 {
		t.Errorf("packed: %v", h)
	}
	// A zone that a host has only just come to have is seen at once.
	first := slices.Sorted(maps.Keys(zones))[0]
	apitest.Must[*sdk.PutAttributesOutput](t)(c.PutAttributes(ctx, &sdk.PutAttributesInput{Cluster: aws.String("c"), Attributes: []types.Attribute{
		{Name: aws.String("shelf"), Value: aws.String("1"), TargetId: &first},
	}}))
	if h, _ := run(2, "shelved", ranked(types.PlacementStrategyTypeSpread, "attribute:shelf"), spreadHost); h[first] != 1 {
		t.Errorf("shelves: %v", h)
	}
	for _, tt := range []struct {
		strategy types.PlacementStrategy
		text     string
	}{
		{ranked(types.PlacementStrategyTypeBinpack, "disk"), `placementStrategy[0].field must be cpu or memory with the type binpack, not "disk".`},
		{types.PlacementStrategy{Type: types.PlacementStrategyTypeSpread}, `placementStrategy[0].field must be instanceId, host or attribute:NAME with the type spread, not "".`},
		{ranked(types.PlacementStrategyTypeSpread, "attribute:a b"), `not "attribute:a b".`},
		{ranked(types.PlacementStrategyTypeSpread, "zone"), `not "zone".`},
	} {
		_, err := c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f"), PlacementStrategy: []types.PlacementStrategy{tt.strategy}})
		apitest.WantError[*types.InvalidParameterException](t, err, tt.text)
	}
}
