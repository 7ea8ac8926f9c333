package ecs_test

import (
	"fmt"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func describeService(t *testing.T, a *apitest.API, name string) *types.Service {
	t.Helper()
	out, err := a.Client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{
		Cluster: aws.String("c"), Services: []string{name}, Include: []types.ServiceField{types.ServiceFieldTags},
	})
	if err != nil || len(out.Services) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	return &out.Services[0]
}

func TestCreateService(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	made := apitest.CreateService(t, a, "web", 3)
	got := describeService(t, a, "web")
	for what, same := range map[string]bool{
		"arn":       *got.ServiceArn == apitest.Site.ServiceARN("c", "web") && *made.ServiceArn == *got.ServiceArn,
		"status":    *got.Status == "ACTIVE" && got.DesiredCount == 3 && got.RunningCount == 0 && got.PendingCount == 0,
		"defaults":  got.SchedulingStrategy == "REPLICA" && got.LaunchType == "EC2" && got.PropagateTags == "NONE" && got.AvailabilityZoneRebalancing == "ENABLED",
		"percents":  *got.DeploymentConfiguration.MinimumHealthyPercent == 100 && *got.DeploymentConfiguration.MaximumPercent == 200,
		"primary":   len(got.Deployments) == 1 && *got.Deployments[0].Status == "PRIMARY" && got.Deployments[0].RolloutState == "IN_PROGRESS" && got.Deployments[0].DesiredCount == 3,
		"revision":  len(got.CurrentServiceRevisions) == 1 && got.CurrentServiceDeployment != nil,
		"taskdef":   *got.TaskDefinition == apitest.Site.TaskDefinitionARN("sleep", 1),
		"createdBy": got.CreatedBy != nil,
	} {
		if !same {
			t.Errorf("%s: %+v", what, got)
		}
	}
	again := apitest.CreateService(t, a, "web", 3)
	if *again.CreatedAt != *made.CreatedAt {
		t.Error("the same request made another service")
	}
	_, err := a.Client.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("c"), ServiceName: aws.String("web"), TaskDefinition: aws.String("sleep"), DesiredCount: aws.Int32(4)})
	apitest.WantError[*types.InvalidParameterException](t, err, "Creation of service was not idempotent.")
	for i := range 12 {
		apitest.CreateService(t, a, fmt.Sprintf("s%02d", i), 0)
	}
	list := apitest.Must[*ecs.ListServicesOutput](t)(a.Client.ListServices(ctx, &ecs.ListServicesInput{Cluster: aws.String("c")}))
	if len(list.ServiceArns) != 10 || list.NextToken == nil {
		t.Errorf("first page: %+v", list)
	}
	list = apitest.Must[*ecs.ListServicesOutput](t)(a.Client.ListServices(ctx, &ecs.ListServicesInput{Cluster: aws.String("c"), NextToken: list.NextToken}))
	if len(list.ServiceArns) != 3 || list.NextToken != nil {
		t.Errorf("second page: %+v", list)
	}
}

func TestUpdateAndDeleteService(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	apitest.CreateService(t, a, "web", 2)
	update := func(in ecs.UpdateServiceInput) *types.Service {
		t.Helper()
		in.Cluster, in.Service = aws.String("c"), aws.String("web")
		return apitest.Must[*ecs.UpdateServiceOutput](t)(a.Client.UpdateService(ctx, &in)).Service
	}
	if s := update(ecs.UpdateServiceInput{DesiredCount: aws.Int32(5), TaskDefinition: aws.String("sleep:1")}); s.DesiredCount != 5 || len(s.Deployments) != 1 {
		t.Errorf("scaled: %+v", s)
	}
	apitest.RegisterSleep(t, a)
	s := update(ecs.UpdateServiceInput{TaskDefinition: aws.String("sleep")})
	if len(s.Deployments) != 2 || *s.Deployments[0].Status != "PRIMARY" || *s.Deployments[1].Status != "ACTIVE" || *s.TaskDefinition != apitest.Site.TaskDefinitionARN("sleep", 2) {
		t.Errorf("updated: %+v", s)
	}
	if s := update(ecs.UpdateServiceInput{ForceNewDeployment: true}); len(s.Deployments) != 3 || len(s.CurrentServiceRevisions) != 3 {
		t.Errorf("forced: %+v", s)
	}
	_, err := a.Client.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("web")})
	apitest.WantError[*types.InvalidParameterException](t, err, "The service cannot be stopped while it is scaled above 0.")
	_, err = a.Client.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: aws.String("c")})
	apitest.WantError[*types.ClusterContainsServicesException](t, err, "The Cluster cannot be deleted while Services are active.")
	gone := apitest.Must[*ecs.DeleteServiceOutput](t)(a.Client.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String("c"), Service: s.ServiceArn, Force: aws.Bool(true)}))
	if *gone.Service.Status != "DRAINING" || gone.Service.DesiredCount != 0 {
		t.Errorf("deleted: %+v", gone.Service)
	}
	_, err = a.Client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("web")})
	apitest.WantError[*types.ServiceNotActiveException](t, err, "Service was not ACTIVE.")
	_, err = a.Client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("none")})
	apitest.WantError[*types.ServiceNotFoundException](t, err, "Service not found.")
	// A deleted service holds its cluster by the tasks that it still has, and by
	// nothing else.
	id := fleet.NewID()
	apitest.Write(t, a, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: "i", Family: "sleep", Revision: 1, Group: "service:web"})
	_, err = a.Client.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: aws.String("c")})
	apitest.WantError[*types.ClusterContainsTasksException](t, err, "The Cluster cannot be deleted while Tasks are active.")
	apitest.Write(t, a, store.TaskReportKey("c", id), &fleet.TaskReport{Status: fleet.TaskStopped})
	if _, err = a.Client.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: aws.String("c")}); err != nil {
		t.Error(err)
	}
	if got := a.Store.Snapshot().Service("c", "web").Status; got != fleet.ServiceDraining {
		t.Error(got)
	}
}

// Settings of ours are checked wherever their tags are given, and every member of
// a service can be tagged.
func TestServiceSettings(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	s := apitest.CreateService(t, a, "web", 0)
	for key, value := range map[string]string{"ashore.replace-lost-after": "0", "ashore.healthy-after": "soon"} {
		_, err := a.Client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{tag(key, value)}})
		apitest.WantError[*types.InvalidParameterException](t, err, key)
		_, err = a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("d"), Tags: []types.Tag{tag(key, value)}})
		apitest.WantError[*types.InvalidParameterException](t, err, key)
	}
	if _, err := a.Client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{tag("ashore.replace-lost-after", "60")}}); err != nil {
		t.Error(err)
	}
	if got := tagsOf(t, a.Client, *s.ServiceArn); got != "ashore.replace-lost-after=60" {
		t.Error(got)
	}
}

// Of many that create one service at once, one makes it, and all with the same
// request get it.
func TestCreateServiceAtOnce(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	const n = 8
	ids, errs := make(chan string, n), make(chan error, n)
	for range n {
		go func() {
			out, err := a.Client.CreateService(t.Context(), &ecs.CreateServiceInput{
				Cluster: aws.String("c"), ServiceName: aws.String("web"), TaskDefinition: aws.String("sleep"), DesiredCount: aws.Int32(1), ClientToken: aws.String("t"),
			})
			if err != nil {
				errs <- err
				return
			}
			ids <- *out.Service.Deployments[0].Id
		}()
	}
	seen := map[string]bool{}
	for range n {
		select {
		case err := <-errs:
			t.Error(err)
		case id := <-ids:
			seen[id] = true
		}
	}
	if all := a.Store.Snapshot().Deployments("c", "web"); len(seen) != 1 || len(all) != 1 {
		t.Errorf("%v, %d deployments", seen, len(all))
	}
}
