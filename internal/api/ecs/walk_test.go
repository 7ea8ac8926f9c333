package ecs_test

import (
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestWalk is the main job from end to end, the host's part played by its own
// client.
func TestWalk(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	c := a.Client
	cluster := apitest.Must[*sdk.CreateClusterOutput](t)(c.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("MyCluster")}))
	instance, host := a.Register("web-1", "MyCluster", types.Attribute{Name: aws.String("ecs.os-type"), Value: aws.String("linux")})
	def := apitest.Must[*sdk.RegisterTaskDefinitionOutput](t)(c.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("sleep360"), ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("sleep"), Image: aws.String("busybox"), Cpu: 10, Memory: aws.Int32(10), Command: []string{"sleep", "360"},
		}},
	}))
	if *def.TaskDefinition.TaskDefinitionArn != apitest.Site.TaskDefinitionARN("sleep360", 1) {
		t.Errorf("definition %s", *def.TaskDefinition.TaskDefinitionArn)
	}
	run := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("MyCluster"), TaskDefinition: aws.String("sleep360"), Count: aws.Int32(10)}))
	if len(run.Tasks) != 10 || len(run.Failures) != 0 {
		t.Fatalf("run: %d tasks, failures %v", len(run.Tasks), run.Failures)
	}
	first := run.Tasks[0]
	if *first.LastStatus != "PENDING" || *first.DesiredStatus != "RUNNING" || *first.ContainerInstanceArn != instance || first.LaunchType != types.LaunchTypeEc2 {
		t.Errorf("task: %+v", first)
	}
	list := apitest.Must[*sdk.ListTasksOutput](t)(c.ListTasks(ctx, &sdk.ListTasksInput{Cluster: aws.String("MyCluster")}))
	if len(list.TaskArns) != 10 {
		t.Errorf("listed %d tasks", len(list.TaskArns))
	}

	apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{
		Cluster: aws.String("MyCluster"), Task: first.TaskArn, Status: aws.String("RUNNING"),
		Containers: []types.ContainerStateChange{{ContainerName: aws.String("sleep"), Status: aws.String("RUNNING"), RuntimeId: aws.String("abc")}},
	}))
	describe := func() types.Task {
		t.Helper()
		out := apitest.Must[*sdk.DescribeTasksOutput](t)(c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: cluster.Cluster.ClusterArn, Tasks: []string{*first.TaskArn}}))
		if len(out.Tasks) != 1 {
			t.Fatalf("describe: %+v", out)
		}
		return out.Tasks[0]
	}
	if got := describe(); *got.LastStatus != "RUNNING" || got.StartedAt == nil || *got.Containers[0].RuntimeId != "abc" || *got.Containers[0].LastStatus != "RUNNING" {
		t.Errorf("running: %+v", got)
	}
	_, err := c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("MyCluster")})
	apitest.WantError[*types.ClusterContainsTasksException](t, err, "The Cluster cannot be deleted while Tasks are active.")

	stopped := apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("MyCluster"), Task: first.TaskArn, Reason: aws.String("enough")}))
	if *stopped.Task.LastStatus != "RUNNING" || *stopped.Task.DesiredStatus != "STOPPED" {
		t.Errorf("stop: %+v", stopped.Task)
	}
	apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{
		Cluster: aws.String("MyCluster"), Task: first.TaskArn, Status: aws.String("STOPPED"), Reason: aws.String(""),
		Containers: []types.ContainerStateChange{{ContainerName: aws.String("sleep"), Status: aws.String("STOPPED"), ExitCode: aws.Int32(137)}},
	}))
	if got := describe(); *got.LastStatus != "STOPPED" || got.StopCode != types.TaskStopCodeUserInitiated || *got.StoppedReason != "enough" || *got.Containers[0].ExitCode != 137 {
		t.Errorf("stopped: %+v", got)
	}
	ci := apitest.Must[*sdk.DescribeContainerInstancesOutput](t)(c.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: aws.String("MyCluster"), ContainerInstances: []string{instance}})).ContainerInstances[0]
	if ci.PendingTasksCount != 9 || !ci.AgentConnected || ci.RemainingResources[0].IntegerValue != 2048-90 || ci.RegisteredResources[0].IntegerValue != 2048 {
		t.Errorf("instance: %+v", ci)
	}
}
