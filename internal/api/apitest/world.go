package apitest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// Must returns a call's answer and ends the test at its error.
func Must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// WantError checks an error's type and that its message says text.
func WantError[E smithy.APIError](t *testing.T, err error, text string) {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Errorf("error %v is not a %T", err, e)
		return
	}
	if !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("%s: %q does not say %q", e.ErrorCode(), e.ErrorMessage(), text)
	}
}

// CreateCluster makes a cluster.
func CreateCluster(t *testing.T, a *API, name string) {
	t.Helper()
	Must[*sdk.CreateClusterOutput](t)(a.Client.CreateCluster(t.Context(), &sdk.CreateClusterInput{ClusterName: aws.String(name)}))
}

// RegisterSleep registers the family sleep: two of its tasks fit on a host of Register.
func RegisterSleep(t *testing.T, a *API) {
	t.Helper()
	Must[*sdk.RegisterTaskDefinitionOutput](t)(a.Client.RegisterTaskDefinition(t.Context(), &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("sleep"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("busybox"), Cpu: 1024, Memory: aws.Int32(64)}},
	}))
}

// Define registers a definition of one small container, with a change.
func Define(t *testing.T, a *API, family string, change func(*sdk.RegisterTaskDefinitionInput)) {
	t.Helper()
	in := &sdk.RegisterTaskDefinitionInput{Family: aws.String(family), ContainerDefinitions: []types.ContainerDefinition{Box("a")}}
	change(in)
	Must[*sdk.RegisterTaskDefinitionOutput](t)(a.Client.RegisterTaskDefinition(t.Context(), in))
}

// Box is a small container.
func Box(name string) types.ContainerDefinition {
	return types.ContainerDefinition{Name: aws.String(name), Image: aws.String("busybox"), Memory: aws.Int32(16)}
}

// CreateService makes a REPLICA service in cluster c of the family sleep.
func CreateService(t *testing.T, a *API, name string, desired int32) *types.Service {
	t.Helper()
	out, err := a.Client.CreateService(t.Context(), &sdk.CreateServiceInput{
		Cluster: aws.String("c"), ServiceName: &name, TaskDefinition: aws.String("sleep"), DesiredCount: &desired,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Service
}

// Provider stores a capacity provider of the type EC2_AUTOSCALING and associates
// it with cluster c; with managed scaling its tasks wait for room.
func Provider(t *testing.T, a *API, name string, scaling types.ManagedScalingStatus) {
	t.Helper()
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		k := store.CapacityProviderKey(name)
		store.Get(tx, k)
		err := store.Put(tx, k, &fleet.CapacityProvider{
			Name: name, Type: types.CapacityProviderTypeEc2Autoscaling, Status: types.CapacityProviderStatusActive,
			Group: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("g"), ManagedScaling: &types.ManagedScaling{Status: scaling}},
		})
		if err != nil {
			return err
		}
		return Associate(tx, name)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Associate gives cluster c capacity providers.
func Associate(tx *store.Tx, names ...string) error {
	k := store.ClusterKey("c")
	c := *store.Get(tx, k)
	c.CapacityProviders = append(c.CapacityProviders[:len(c.CapacityProviders):len(c.CapacityProviders)], names...)
	return store.Put(tx, k, &c)
}

// Member is the attribute by which a host belongs to a capacity provider.
func Member(provider string) types.Attribute {
	return types.Attribute{Name: aws.String(fleet.AttributeProvider), Value: aws.String(provider)}
}

// Strategy is an item of a capacity provider strategy.
func Strategy(name string, base, weight int32) types.CapacityProviderStrategyItem {
	return types.CapacityProviderStrategyItem{CapacityProvider: aws.String(name), Base: base, Weight: weight}
}

// On counts tasks by their container instance.
func On(tasks []types.Task) map[string]int {
	n := map[string]int{}
	for i := range tasks {
		n[aws.ToString(tasks[i].ContainerInstanceArn)]++
	}
	return n
}

// MemberOf is a placement constraint with an expression.
func MemberOf(expression string) types.PlacementConstraint {
	return types.PlacementConstraint{Type: types.PlacementConstraintTypeMemberOf, Expression: &expression}
}

// RunOn asks for tasks of the family sleep, of which two fit on a host, on
// capacity provider p of cluster c.
func RunOn(count int32) *sdk.RunTaskInput {
	return &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(count), CapacityProviderStrategy: []types.CapacityProviderStrategyItem{Strategy("p", 0, 1)}}
}

// EngineIs writes what the agent of a container instance of cluster c says of its
// container engine.
func EngineIs(t *testing.T, a *API, instance string, status types.InstanceHealthCheckState) {
	t.Helper()
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		k := store.InstanceHealthKey("c", ID(instance))
		store.Get(tx, k)
		return store.Put(tx, k, &fleet.InstanceHealth{Checks: []fleet.HealthCheck{
			{Type: types.InstanceHealthCheckTypeContainerRuntime, Status: status},
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ID is the last part of an ARN.
func ID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// Until follows a store until ok says yes.
func Until(t *testing.T, st *store.Store, what string, ok func(*store.Snapshot) bool) *store.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	snap, feed := st.Follow()
	for !ok(snap) {
		a, err := feed.Next(ctx)
		if err != nil {
			t.Fatalf("until %s: %v", what, err)
		}
		snap = a.Next
	}
	return snap
}

// Between runs first as a transaction and lets meanwhile happen after it has
// decided and before it commits. It returns the transaction's last error.
func Between(t *testing.T, st *store.Store, first func(*store.Tx) error, meanwhile func()) error {
	t.Helper()
	done := false
	return st.Update(t.Context(), func(tx *store.Tx) error {
		if err := first(tx); err != nil {
			return err
		}
		if !done {
			done = true
			meanwhile()
		}
		return nil
	})
}

// Write stores a record as nobody else would.
func Write[V any](t *testing.T, a *API, k store.Key[V], v *V) {
	t.Helper()
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		store.Get(tx, k)
		return store.Put(tx, k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Bury removes revisions' records, as the reaper does.
func Bury(t *testing.T, a *API, family string, revisions ...int) {
	t.Helper()
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		for _, r := range revisions {
			store.Get(tx, store.TaskDefinitionKey(family, r))
			store.Get(tx, store.TaskDefinitionStateKey(family, r))
			if err := store.Delete(tx, store.TaskDefinitionKey(family, r)); err != nil {
				return err
			}
			if err := store.Delete(tx, store.TaskDefinitionStateKey(family, r)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
