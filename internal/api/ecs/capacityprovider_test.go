package ecs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func createProvider(t *testing.T, a *apitest.API, name string) {
	t.Helper()
	apitest.Must[*sdk.CreateCapacityProviderOutput](t)(a.Client.CreateCapacityProvider(t.Context(), &sdk.CreateCapacityProviderInput{
		Name: aws.String(name), AutoScalingGroupProvider: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("group-" + name)},
	}))
}

func createManaged(t *testing.T, a *apitest.API, name, cluster string) {
	t.Helper()
	apitest.Must[*sdk.CreateCapacityProviderOutput](t)(a.Client.CreateCapacityProvider(t.Context(), &sdk.CreateCapacityProviderInput{
		Name: aws.String(name), Cluster: aws.String(cluster),
		ManagedInstancesProvider: &types.CreateManagedInstancesProviderConfiguration{
			InfrastructureRoleArn: aws.String("arn:aws:iam::000000000000:role/infrastructure"),
			InstanceLaunchTemplate: &types.InstanceLaunchTemplate{
				Ec2InstanceProfileArn: aws.String("arn:aws:iam::000000000000:instance-profile/p"),
				NetworkConfiguration:  &types.ManagedInstancesNetworkConfiguration{Subnets: []string{"subnet-1"}},
			},
		},
	}))
}

func putProviders(t *testing.T, a *apitest.API, cluster string, providers ...string) error {
	t.Helper()
	_, err := a.Client.PutClusterCapacityProviders(t.Context(), &sdk.PutClusterCapacityProvidersInput{
		Cluster: aws.String(cluster), CapacityProviders: append([]string{}, providers...), DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	})
	return err
}

// placed writes a task of a capacity provider as the placer does, running or
// not.
func placed(t *testing.T, st *store.Store, cluster, id, provider string, waiting bool) {
	t.Helper()
	task := &fleet.Task{Cluster: cluster, ID: id, Family: "f", LaunchType: types.LaunchTypeEc2, CapacityProvider: provider}
	err := st.Update(context.Background(), func(tx *store.Tx) error {
		if store.Get(tx, store.ClusterKey(cluster)) == nil {
			return errors.New("no cluster")
		}
		if waiting {
			return store.Create(tx, store.WaitingTaskKey(cluster, id), task)
		}
		return store.Create(tx, store.TaskKey(cluster, id), task)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A provider that tasks use stays the cluster's, those included that wait for a
// host.
func TestProviderInUse(t *testing.T) {
	for name, waiting := range map[string]bool{"placed": false, "waiting": true} {
		t.Run(name, func(t *testing.T) {
			a := apitest.Start(t)
			apitest.CreateCluster(t, a, "c")
			createProvider(t, a, "p")
			createManaged(t, a, "m", "c")
			if err := putProviders(t, a, "c", "p"); err != nil {
				t.Fatal(err)
			}
			placed(t, a.Store, "c", "t", "p", waiting)
			apitest.WantError[*types.ResourceInUseException](t, putProviders(t, a, "c"), "The specified capacity provider is in use and cannot be removed.")
			if err := putProviders(t, a, "c", "p", "FARGATE"); err != nil {
				t.Error(err)
			}
			placed(t, a.Store, "c", "u", "m", waiting)
			del := apitest.Must[*sdk.DeleteCapacityProviderOutput](t)(a.Client.DeleteCapacityProvider(t.Context(), &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("m")})).CapacityProvider
			if del.UpdateStatus != types.CapacityProviderUpdateStatusDeleteFailed || del.Status != types.CapacityProviderStatusActive {
				t.Errorf("deleted in use: %+v", del)
			}
		})
	}
}

// A cluster gets back the provider that it lost under a task that came to it
// meanwhile: the transaction alone takes it away, as the first half shows.
func TestPutProvidersRacesTask(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	createProvider(t, a, "p")
	if err := putProviders(t, a, "c", "p"); err != nil {
		t.Fatal(err)
	}
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	was := a.Store.Snapshot().Cluster("c")
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error { return ecsapi.PutProvidersTx(s, tx, "c") }, func() {
		placed(t, a.Store, "c", "t", "p", true)
	})
	is := a.Store.Snapshot().Cluster("c")
	if err != nil || len(is.CapacityProviders) != 0 {
		t.Fatalf("%v: %+v", err, is)
	}
	apitest.WantError[*types.ResourceInUseException](t, ecsapi.Regain(t.Context(), s, was, is), "in use")
	if got := a.Store.Snapshot().Cluster("c").CapacityProviders; len(got) != 1 || got[0] != "p" {
		t.Errorf("the cluster has %v", got)
	}
}

// A managed instances provider that was deleted under a task is there again.
func TestDeleteManagedRacesTask(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	createManaged(t, a, "m", "c")
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	was := a.Store.Snapshot().Cluster("c")
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error { _, err := ecsapi.DeleteProviderTx(s, tx, "m"); return err }, func() {
		placed(t, a.Store, "c", "t", "m", false)
	})
	if err != nil {
		t.Fatal(err)
	}
	apitest.WantError[*types.ResourceInUseException](t, ecsapi.Regain(t.Context(), s, was, a.Store.Snapshot().Cluster("c")), "in use")
	p := a.Store.Snapshot().CapacityProvider("m")
	if p.Status != types.CapacityProviderStatusActive || p.Update != types.CapacityProviderUpdateStatusDeleteFailed || !p.DeletedAt.IsZero() || len(a.Store.Snapshot().Cluster("c").CapacityProviders) != 1 {
		t.Errorf("%+v", p)
	}
}

// A provider is not deleted under a cluster that comes to have it. Without the
// rewriting of its record in associate it is (seen).
func TestDeleteProviderRacesAssociation(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	createProvider(t, a, "p")
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	var p *fleet.CapacityProvider
	err := apitest.Between(t, a.Store, func(tx *store.Tx) (err error) {
		p, err = ecsapi.DeleteProviderTx(s, tx, "p")
		return err
	}, func() {
		if err := putProviders(t, a, "c", "p"); err != nil {
			t.Error(err)
		}
	})
	if err != nil || p.Status != types.CapacityProviderStatusActive || p.UpdateReason != "The capacity provider cannot be deleted because it is associated with cluster: c. Remove the capacity provider from the cluster and try again." {
		t.Errorf("%v: %+v", err, p)
	}
	// The other way round: nothing is associated that is gone meanwhile.
	createProvider(t, a, "q")
	err = apitest.Between(t, a.Store, func(tx *store.Tx) error { return ecsapi.PutProvidersTx(s, tx, "c", "p", "q") }, func() {
		apitest.Must[*sdk.DeleteCapacityProviderOutput](t)(a.Client.DeleteCapacityProvider(t.Context(), &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("q")}))
	})
	apitest.WantError[*types.InvalidParameterException](t, err, `capacityProviders[1]: "q"`)
}

// A cluster's own providers stay whatever PutClusterCapacityProviders names.
func TestManagedStay(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.CreateCluster(t, a, "d")
	createManaged(t, a, "m", "c")
	if err := putProviders(t, a, "c", "FARGATE"); err != nil {
		t.Fatal(err)
	}
	c := apitest.Must[*sdk.DescribeClustersOutput](t)(a.Client.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"c"}})).Clusters[0]
	if len(c.CapacityProviders) != 2 || c.CapacityProviders[1] != "m" {
		t.Errorf("providers: %v", c.CapacityProviders)
	}
	apitest.WantError[*types.InvalidParameterException](t, putProviders(t, a, "d", "m"), `"m" is a capacity provider of cluster c alone`)
	_, err := a.Client.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")})
	apitest.WantError[*types.ClusterContainsCapacityProviderException](t, err, "while Cluster Scoped Capacity Providers are attached to the cluster")
	apitest.Must[*sdk.DeleteCapacityProviderOutput](t)(a.Client.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("m"), Cluster: aws.String("c")}))
	apitest.Must[*sdk.DeleteClusterOutput](t)(a.Client.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")}))
}

// What the account or the caller has set for containerInsights holds for new
// clusters.
func TestContainerInsightsByAccount(t *testing.T) {
	a := apitest.Start(t)
	insights := func(cluster string) string {
		return *apitest.Must[*sdk.CreateClusterOutput](t)(a.Client.CreateCluster(t.Context(), &sdk.CreateClusterInput{ClusterName: aws.String(cluster)})).Cluster.Settings[0].Value
	}
	if v := insights("a"); v != "disabled" {
		t.Errorf("at first: %s", v)
	}
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		return store.Create(tx, store.AccountSettingsKey(""), &fleet.AccountSettings{Values: map[string]string{"containerInsights": "enhanced"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := insights("b"); v != "enhanced" {
		t.Errorf("by the account's default: %s", v)
	}
}
