package ecs_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// Tools compare ECS's codes and texts. These are as public transcripts of ECS
// have them.
func TestWording(t *testing.T) {
	a := apitest.Start(t)
	c := a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	in := func(change func(*sdk.RunTaskInput)) func(context.Context) error {
		return func(ctx context.Context) error {
			run := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}
			change(run)
			_, err := c.RunTask(ctx, run)
			return err
		}
	}
	create := func(change func(*sdk.CreateServiceInput)) func(context.Context) error {
		return func(ctx context.Context) error {
			create := &sdk.CreateServiceInput{Cluster: aws.String("c"), ServiceName: aws.String("s"), TaskDefinition: aws.String("sleep"), DesiredCount: aws.Int32(0)}
			change(create)
			_, err := c.CreateService(ctx, create)
			return err
		}
	}
	const parameter, client = "InvalidParameterException", "ClientException"
	const launchTypes = "launch type should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]"
	const instances = "Container Instances cannot be empty."
	for _, tt := range []struct {
		name, code, text string
		call             func(context.Context) error
	}{
		{"RunTask, launchType", parameter, launchTypes, in(func(in *sdk.RunTaskInput) { in.LaunchType = "Fargate" })},
		{"CreateService, launchType", parameter, launchTypes, create(func(in *sdk.CreateServiceInput) { in.LaunchType = "SOMETHING" })},
		{"ListTasks, launchType", parameter, launchTypes, func(ctx context.Context) error {
			_, err := c.ListTasks(ctx, &sdk.ListTasksInput{Cluster: aws.String("c"), LaunchType: "SOMETHING"})
			return err
		}},
		{"CreateService, schedulingStrategy", parameter, "Scheduling strategy should be one of [REPLICA,DAEMON]",
			create(func(in *sdk.CreateServiceInput) { in.SchedulingStrategy = "SOMETHING" })},
		{"RunTask, startedBy", parameter, "startedBy longer than 128.", in(func(in *sdk.RunTaskInput) { in.StartedBy = aws.String(strings.Repeat("é", 129)) })},
		{"RunTask, overrides", parameter, "Container Overrides length must be at most 8192", in(func(in *sdk.RunTaskInput) {
			in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("c"), Command: []string{strings.Repeat("x", 8192)}}}}
		})},
		{"ListTasks, family", parameter, `family must match ^[a-zA-Z0-9\-_]+$`, func(ctx context.Context) error {
			_, err := c.ListTasks(ctx, &sdk.ListTasksInput{Cluster: aws.String("c"), Family: aws.String("sleep:1")})
			return err
		}},
		{"RunTask, a revision in words", parameter, "Invalid revision number. Number: latest", in(func(in *sdk.RunTaskInput) { in.TaskDefinition = aws.String("sleep:latest") })},
		{"RunTask, an empty revision", parameter, "Invalid revision number. Number: ", in(func(in *sdk.RunTaskInput) { in.TaskDefinition = aws.String("sleep:") })},
		{"RunTask, a revision of an ARN in words", parameter, "Invalid revision number. Number: latest",
			in(func(in *sdk.RunTaskInput) {
				in.TaskDefinition = aws.String(apitest.Site.TaskDefinitionFamilyARN("sleep")[:len(apitest.Site.TaskDefinitionFamilyARN("sleep"))-1] + "latest")
			})},
		{"StartTask, a revision in words", parameter, "Invalid revision number. Number: foo", func(ctx context.Context) error {
			_, err := c.StartTask(ctx, &sdk.StartTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep:foo"), ContainerInstances: []string{strings.Repeat("0", 32)}})
			return err
		}},
		{"CreateService, a revision in words", parameter, "Invalid revision number. Number: foo", create(func(in *sdk.CreateServiceInput) { in.TaskDefinition = aws.String("sleep:foo") })},
		{"DescribeTaskDefinition, a revision in words", parameter, "Invalid revision number. Number: foo", func(ctx context.Context) error {
			_, err := c.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: aws.String("sleep:foo")})
			return err
		}},
		{"DeregisterTaskDefinition, a revision in words", parameter, "Invalid revision number. Number: foo", func(ctx context.Context) error {
			_, err := c.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("sleep:foo")})
			return err
		}},
		{"DeregisterTaskDefinition, no revision", client, "Revision is missing.", func(ctx context.Context) error {
			_, err := c.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("sleep")})
			return err
		}},
		{"RegisterTaskDefinition, pidMode", client, "x is not a valid value for pidMode. The value must be one of [task,host]", func(ctx context.Context) error {
			_, err := c.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{Family: aws.String("f"), PidMode: "x", ContainerDefinitions: []types.ContainerDefinition{apitest.Box("a")}})
			return err
		}},
		{"ListAccountSettings, name", parameter, "unknown should be one of [serviceLongArnFormat,taskLongArnFormat,containerInstanceLongArnFormat,awsvpcTrunking,containerInsights,",
			func(ctx context.Context) error {
				_, err := c.ListAccountSettings(ctx, &sdk.ListAccountSettingsInput{Name: "unknown"})
				return err
			}},
		{"PutAccountSetting, value", parameter, "Invalid setting 'value'", func(ctx context.Context) error {
			_, err := c.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: types.SettingNameAwsvpcTrunking, Value: aws.String("ENABLED")})
			return err
		}},
		{"UpdateClusterSettings, value", parameter, "Invalid setting 'value'", func(ctx context.Context) error {
			_, err := c.UpdateClusterSettings(ctx, &sdk.UpdateClusterSettingsInput{Cluster: aws.String("c"),
				Settings: []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("enhaced")}}})
			return err
		}},
		{"StartTask, no instances", client, instances, func(ctx context.Context) error {
			_, err := c.StartTask(ctx, &sdk.StartTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), ContainerInstances: []string{}})
			return err
		}},
		{"DescribeContainerInstances, no instances", client, instances, func(ctx context.Context) error {
			_, err := c.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: aws.String("c"), ContainerInstances: []string{}})
			return err
		}},
		{"UpdateContainerInstancesState, no instances", client, instances, func(ctx context.Context) error {
			_, err := c.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{Cluster: aws.String("c"), ContainerInstances: []string{}, Status: types.ContainerInstanceStatusActive})
			return err
		}},
		{"UpdateContainerInstancesState, status", parameter, "Container instance status should be one of [ACTIVE,DRAINING]", func(ctx context.Context) error {
			_, err := c.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{Cluster: aws.String("c"), ContainerInstances: []string{strings.Repeat("0", 32)}, Status: "GONE"})
			return err
		}},
		{"DeleteTaskDefinitions, none", parameter, "size of TaskDefinition references list must be greater than 0", func(ctx context.Context) error {
			_, err := c.DeleteTaskDefinitions(ctx, &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: []string{}})
			return err
		}},
		{"RegisterContainerInstance, cluster", client, "Cluster not found.", func(ctx context.Context) error {
			_, err := a.Host("h1").RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{Cluster: aws.String("none"), TotalResources: apitest.Resources(1024, 1024)})
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(t.Context())
			var e smithy.APIError
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.ErrorCode() != tt.code || !strings.HasPrefix(e.ErrorMessage(), tt.text) {
				t.Errorf("got %s: %s", e.ErrorCode(), e.ErrorMessage())
			}
		})
	}
}

// startedBy is the caller's own note: every text is accepted, and ListTasks finds it.
func TestStartedByIsFree(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	a.Register("h", "c")
	for _, by := range []string{"ECS Deploy", "x@y.example (1)", "é"} {
		run := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(t.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f"), StartedBy: &by}))
		if len(run.Tasks) != 1 || aws.ToString(run.Tasks[0].StartedBy) != by {
			t.Fatalf("%q: %+v", by, run)
		}
		list := apitest.Must[*sdk.ListTasksOutput](t)(a.Client.ListTasks(t.Context(), &sdk.ListTasksInput{Cluster: aws.String("c"), StartedBy: &by}))
		if len(list.TaskArns) != 1 {
			t.Errorf("%q: listed %v", by, list.TaskArns)
		}
	}
}

// A name that is not there fails under the ARN that ECS makes of it.
func TestFailuresNames(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	long, short := apitest.Site.ServiceARN("c", "gone"), "arn:aws:ecs:us-east-1:000000000000:service/nosuch"
	out := apitest.Must[*sdk.DescribeServicesOutput](t)(a.Client.DescribeServices(t.Context(), &sdk.DescribeServicesInput{Cluster: aws.String("c"), Services: []string{"nosuch", long, short}}))
	var got []string
	for _, f := range out.Failures {
		got = append(got, *f.Arn+" "+*f.Reason)
	}
	if want := short + " MISSING," + long + " MISSING," + short + " MISSING"; strings.Join(got, ",") != want {
		t.Errorf("services: %q", got)
	}

	apitest.RegisterSleep(t, a)
	const invalid = "The specified task definition identifier is invalid. Specify a valid name or ARN and try again."
	const none = "The specified task definition does not exist. Specify a valid account, family, revision and try again."
	del := deleted(t, a, "sleep", "sleep:foo", "none:1", apitest.Site.TaskDefinitionARN("none", 2), "sleep", "arn:aws:ecs:eu-west-1:111111111111:task-definition/sleep:1", "a b:1")
	got = nil
	for _, f := range del.Failures {
		got = append(got, *f.Arn+" "+*f.Reason)
	}
	want := []string{"sleep " + invalid, "sleep:foo " + invalid, "none:1 " + none, apitest.Site.TaskDefinitionARN("none", 2) + " " + none,
		"arn:aws:ecs:eu-west-1:111111111111:task-definition/sleep:1 " + none, "a b:1 " + invalid}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || len(del.TaskDefinitions) != 0 {
		t.Errorf("deleted: %q\nwant %q", got, want)
	}
}
