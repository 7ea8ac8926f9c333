package placer_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// An order that panics is refused, those beside it in the round are carried out,
// and the placer goes on.
func TestOrderThatPanics(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	a.Register("h", "c")
	apitest.Define(t, a, "sleep", func(*sdk.RegisterTaskDefinitionInput) {})
	apitest.Write(t, a, store.TaskDefinitionKey("hollow", 1), &fleet.TaskDefinition{Family: "hollow", Revision: 1, Compatibilities: []types.Compatibility{types.CompatibilityEc2}})
	run := func(family string) (*sdk.RunTaskOutput, error) {
		return c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String(family)})
	}
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			_, err := run("hollow:1")
			apitest.WantError[*types.ServerException](t, err, "internal error")
		})
		wg.Go(func() {
			if out, err := run("sleep"); err != nil || len(out.Tasks) != 1 {
				t.Errorf("beside it: %+v, %v", out, err)
			}
		})
	}
	wg.Wait()
}

// Of tasks that wait for a host, one that panics and one whose record can't be read
// keep none of the others from it.
func TestWaitingTaskThatPanics(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.CreateCluster(t, a, "other")
	apitest.RegisterSleep(t, a)
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	a.Register("elsewhere", "c") // there is a host at all
	// It waits since before the others.
	hollow := &fleet.Task{Cluster: "c", ID: "0123456789abcdef0123456789abcdef", Family: "hollow", Revision: 1, CapacityProvider: "p", Queued: 1}
	apitest.Write(t, a, store.TaskDefinitionKey("hollow", 1), &fleet.TaskDefinition{Family: "hollow", Revision: 1})
	apitest.Write(t, a, store.WaitingTaskKey("c", hollow.ID), hollow)
	run := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, apitest.RunOn(2)))
	mend := a.Spoil(fmt.Sprintf("cluster/c/waiting/%032x", 1))
	defer mend()
	if len(run.Tasks) != 2 || a.Store.Snapshot().Counts("c").Waiting != 3 {
		t.Fatalf("%+v wait", a.Store.Snapshot().Counts("c"))
	}
	a.Register("h", "c", types.Attribute{Name: aws.String(fleet.AttributeProvider), Value: aws.String("p")})
	apitest.Until(t, a.Store, "the others have a host", func(s *store.Snapshot) bool { return s.Counts("c").Waiting == 1 })
	if a.Store.Snapshot().WaitingTask("c", hollow.ID) == nil {
		t.Error("it was placed")
	}
}
