package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// What an agent registers again leaves a drained instance drained, and an agent
// may drain its own instance but no other.
func TestDrainingStays(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	arn, host := a.Register("h", "c")
	other, _ := a.Register("h2", "c")
	drain := func(arn string) error {
		_, err := host.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{Cluster: aws.String("c"), ContainerInstances: []string{arn}, Status: types.ContainerInstanceStatusDraining})
		return err
	}
	if err := drain(arn); err != nil {
		t.Fatal(err)
	}
	if err := drain(other); err == nil || !strings.Contains(err.Error(), "not authorized") {
		t.Errorf("another host was drained: %v", err)
	}
	out := apitest.Must[*sdk.RegisterContainerInstanceOutput](t)(host.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{Cluster: aws.String("c"), ContainerInstanceArn: &arn, TotalResources: apitest.Resources(1, 1)}))
	if *out.ContainerInstance.Status != "DRAINING" {
		t.Errorf("registered again it is %s", *out.ContainerInstance.Status)
	}
}

func TestUpdateContainerAgentTellsTheTruth(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	arn, _ := a.Register("h", "c")
	_, err := c.UpdateContainerAgent(ctx, &sdk.UpdateContainerAgentInput{Cluster: aws.String("c"), ContainerInstance: &arn})
	apitest.WantError[*types.NoUpdateAvailableException](t, err, "It has version 1.0.0")
	a.Connect(arn, false)
	_, err = c.UpdateContainerAgent(ctx, &sdk.UpdateContainerAgentInput{Cluster: aws.String("c"), ContainerInstance: &arn})
	apitest.WantError[*types.MissingVersionException](t, err, "not connected")
}

func TestDescribeHealthAndProvider(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	arn, _ := a.Register("h", "c", types.Attribute{Name: aws.String(fleet.AttributeProvider), Value: aws.String("FARGATE")})
	id := arn[len(arn)-fleet.IDLength:]
	describe := func() types.ContainerInstance {
		t.Helper()
		return apitest.Must[*sdk.DescribeContainerInstancesOutput](t)(c.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{
			Cluster: aws.String("c"), ContainerInstances: []string{arn}, Include: []types.ContainerInstanceField{types.ContainerInstanceFieldContainerInstanceHealth},
		})).ContainerInstances[0]
	}
	if i := describe(); i.HealthStatus.OverallStatus != types.InstanceHealthCheckStateInsufficientData || i.CapacityProviderName != nil {
		t.Errorf("before anything was said: %+v", i)
	}
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	err := a.Store.Update(ctx, func(tx *store.Tx) error {
		return store.Create(tx, store.InstanceHealthKey("c", id), &fleet.InstanceHealth{Checks: []fleet.HealthCheck{
			{Type: types.InstanceHealthCheckTypeContainerRuntime, Status: types.InstanceHealthCheckStateImpaired, ChangedAt: at, WrittenAt: at},
			{Type: types.InstanceHealthCheckTypeDaemon, Status: types.InstanceHealthCheckStateOk, ChangedAt: at, WrittenAt: at},
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	apitest.Must[*sdk.PutClusterCapacityProvidersOutput](t)(c.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{
		Cluster: aws.String("c"), CapacityProviders: []string{"FARGATE"}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	}))
	i := describe()
	if h := i.HealthStatus; h.OverallStatus != types.InstanceHealthCheckStateImpaired || len(h.Details) != 2 || !h.Details[0].LastStatusChange.Equal(at) || aws.ToString(i.CapacityProviderName) != "FARGATE" {
		t.Errorf("described: %+v %+v", i, h)
	}
	a.Connect(arn, false)
	if h := describe().HealthStatus; h.OverallStatus != types.InstanceHealthCheckStateInsufficientData || len(h.Details) != 0 {
		t.Errorf("with its agent away: %+v", h)
	}
}

func TestListFilter(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	one, _ := a.Register("h", "c", types.Attribute{Name: aws.String("rack"), Value: aws.String("1")})
	two, _ := a.Register("h2", "c", types.Attribute{Name: aws.String("rack"), Value: aws.String("2")})
	a.Connect(two, false)
	for filter, want := range map[string][]string{
		"attribute:rack == 1": {one}, "attribute:rack != 1": {two}, "agentConnected == true": {one}, "agentVersion >= 1.0.0": {one},
		"attribute:rack exists and not agentConnected == true": {two}, "runningTasksCount > 0": nil,
	} {
		out := apitest.Must[*sdk.ListContainerInstancesOutput](t)(c.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Cluster: aws.String("c"), Filter: &filter}))
		if strings.Join(out.ContainerInstanceArns, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v", filter, out.ContainerInstanceArns)
		}
	}
	_, err := c.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Cluster: aws.String("c"), Filter: aws.String("attribute:rack is 1")})
	apitest.WantError[*types.InvalidParameterException](t, err, `filter is invalid: at position 16: found "is"; expected an operator.`)
}
