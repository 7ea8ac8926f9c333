package ecs_test

import (
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A cluster is not deleted under a task that was placed while it was looked at.
// Without Unchanged in deleteCluster the deletion commits (seen).
func TestDeleteClusterRacesRunTask(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error { return ecsapi.DeleteClusterTx(s, tx, "c") }, func() {
		a.Register("h", "c")
		run := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}))
		if len(run.Tasks) != 1 {
			t.Fatalf("run: %+v", run.Failures)
		}
	})
	apitest.WantError[*types.ClusterContainsTasksException](t, err, "while Tasks are active")
}

// Nothing joins a cluster that was deleted while it was looked at. Without the
// guarded read in clusterTx the instance is stored (seen).
func TestRegisterRacesDeleteCluster(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	in := &ecsapi.RegisterContainerInstanceInput{Cluster: aws.String("c"), TotalResources: apitest.Resources(1, 1)}
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error { return ecsapi.RegisterTx(s, tx, in) }, func() {
		apitest.Must[*sdk.DeleteClusterOutput](t)(a.Client.DeleteCluster(t.Context(), &sdk.DeleteClusterInput{Cluster: aws.String("c")}))
	})
	apitest.WantError[*types.InvalidParameterException](t, err, "inactive")
}

// An instance is not deregistered under a task. Without the claim of its guard it
// is (seen).
func TestDeregisterRacesRunTask(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	arn, _ := a.Register("h", "c")
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	id := arn[len(arn)-fleet.IDLength:]
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error { return ecsapi.DeregisterTx(s, tx, "c", id) }, func() {
		apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}))
	})
	apitest.WantError[*types.InvalidParameterException](t, err, "Found running tasks on the instance.")

}
