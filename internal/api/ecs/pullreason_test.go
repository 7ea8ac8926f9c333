package ecs_test

import (
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A pull that wants credentials fails with its own reason and says that there are
// none to be had; one that wants none fails with its own reason alone.
func TestAPullWithoutCredentialsSaysSo(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	_, host := a.Register("h", "c")
	const failed = "CannotPullContainerError: no basic auth credentials"
	for family, wants := range map[string]bool{"private": true, "ecr": true, "public": false} {
		apitest.Define(t, a, family, func(in *sdk.RegisterTaskDefinitionInput) {
			in.ExecutionRoleArn = aws.String("role")
			switch c := &in.ContainerDefinitions[0]; family {
			case "private":
				c.RepositoryCredentials = &types.RepositoryCredentials{CredentialsParameter: aws.String("arn:aws:secretsmanager:us-east-1:111122223333:secret:x")}
			case "ecr":
				c.Image = aws.String("111122223333.dkr.ecr.us-east-1.amazonaws.com/x")
			}
		})
		out := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(t.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: &family}))
		if len(out.Tasks) != 1 {
			t.Fatalf("%s: %+v", family, out.Failures)
		}
		apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(t.Context(), &sdk.SubmitTaskStateChangeInput{
			Cluster: aws.String("c"), Task: out.Tasks[0].TaskArn, Status: aws.String("STOPPED"), Reason: aws.String(failed),
			Containers: []types.ContainerStateChange{{ContainerName: aws.String("a"), Status: aws.String("STOPPED"), Reason: aws.String(failed)}},
		}))
		is := apitest.Must[*sdk.DescribeTasksOutput](t)(a.Client.DescribeTasks(t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{*out.Tasks[0].TaskArn}})).Tasks[0]
		for _, reason := range []string{aws.ToString(is.StoppedReason), aws.ToString(is.Containers[0].Reason)} {
			if !strings.HasPrefix(reason, failed) || strings.Contains(reason, "no credentials of registries yet") != wants {
				t.Errorf("%s: %q", family, reason)
			}
		}
	}
}
