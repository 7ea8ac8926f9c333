package ecs_test

import (
	"path"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func createDaemon(t *testing.T, a *apitest.API) *fleet.Service {
	t.Helper()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	_, err := a.Client.CreateService(t.Context(), &ecs.CreateServiceInput{
		Cluster: aws.String("c"), ServiceName: aws.String("web"), TaskDefinition: aws.String("sleep"), SchedulingStrategy: types.SchedulingStrategyDaemon,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.Store.Snapshot().Service("c", "web")
}

// A daemon is to have a task on each host that could start one or keeps one.
func TestDaemonDesiredCount(t *testing.T) {
	a := apitest.Start(t)
	createDaemon(t, a)
	want := func(n int32, when string) {
		t.Helper()
		if s := describeService(t, a, "web"); s.DesiredCount != n || s.Deployments[0].DesiredCount != n {
			t.Errorf("%s: %d, the deployment's %d; want %d", when, s.DesiredCount, s.Deployments[0].DesiredCount, n)
		}
	}
	want(0, "no host")
	a.Register("one", "c")
	two, _ := a.Register("two", "c")
	want(2, "two hosts")
	a.Connect(two, false)
	want(1, "one out of contact")
	id := fleet.NewID()
	apitest.Write(t, a, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: path.Base(two), Family: "sleep", Revision: 1, Group: "service:web"})
	want(2, "one out of contact with a task")
	apitest.Write(t, a, store.TaskStopKey("c", id), &fleet.TaskStop{Reason: "lost"})
	want(1, "one out of contact with a task that is to stop")
}

// A service that can't be worked out is an error, never a number that looks good.
func TestDaemonThatCannotBeRead(t *testing.T) {
	a := apitest.Start(t)
	svc := *createDaemon(t, a)
	svc.Constraints = []types.PlacementConstraint{{Type: types.PlacementConstraintTypeMemberOf, Expression: aws.String("attribute:rack ~~ r7")}}
	apitest.Write(t, a, store.ServiceKey("c", "web"), &svc)
	out, err := a.Client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("c"), Services: []string{"web"}})
	if err == nil {
		t.Errorf("%+v", out.Services)
	}
	list, err := a.Client.ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{Cluster: aws.String("c"), Service: aws.String("web")})
	if err == nil {
		t.Errorf("%+v", list.ServiceDeployments)
	}
}
