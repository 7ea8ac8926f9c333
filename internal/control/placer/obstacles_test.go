package placer_test

import (
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// wants are attributes by name.
func wants(names ...string) []types.Attribute {
	var out []types.Attribute
	for _, n := range names {
		out = append(out, types.Attribute{Name: aws.String(n)})
	}
	return out
}

// five needs five things that a bare host does not offer.
func five(in *sdk.RegisterTaskDefinitionInput) {
	awslogs := &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "g", "awslogs-region": "r"}}
	in.Cpu, in.Memory = aws.String("256"), aws.String("512")
	in.ContainerDefinitions = []types.ContainerDefinition{apitest.Box("web"), apitest.Box("api")}
	web, api := &in.ContainerDefinitions[0], &in.ContainerDefinitions[1]
	web.LogConfiguration, api.LogConfiguration = awslogs, awslogs
	web.Privileged = aws.Bool(true)
	api.DockerSecurityOptions = []string{"apparmor:x"}
	in.Volumes = []types.Volume{{Name: aws.String("v"), DockerVolumeConfiguration: &types.DockerVolumeConfiguration{Driver: aws.String("rexray/ebs")}}}
}

// toldOfFive are words of what five needs: each with what it comes from and what
// would help.
var toldOfFive = []string{
	"cpu and memory of the task (attribute ecs.capability.task-cpu-mem-limit)",
	"log driver awslogs of the containers web and api (attributes com.amazonaws.ecs.capability.logging-driver.awslogs, com.amazonaws.ecs.capability.docker-remote-api.1.19)",
	"ECS_AVAILABLE_LOGGING_DRIVERS",
	"privileged of the container web (attribute com.amazonaws.ecs.capability.privileged-container)",
	"dockerSecurityOptions apparmor of the container api (attribute com.amazonaws.ecs.capability.apparmor)",
	"volume driver rexray/ebs of the volume v (attributes ecs.capability.docker-plugin.rexray/ebs, com.amazonaws.ecs.capability.docker-remote-api.1.25)",
	"Install",
}

func lacksWords(t *testing.T, where, text string, words []string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q: %s", where, w, text)
		}
	}
}

func TestAllThatAHostLacksIsToldAtOnce(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	// The one that lacks least is the closest, whatever it is called.
	a.Register("a", "c")
	near, _ := a.Register("b", "c", wants("ecs.capability.docker-plugin.local")...)
	apitest.Define(t, a, "five", five)
	run := func(c *sdk.RunTaskInput) types.Failure {
		t.Helper()
		c.Cluster, c.TaskDefinition = aws.String("c"), aws.String("five")
		out := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(t.Context(), c))
		if len(out.Tasks) != 0 || len(out.Failures) != 1 {
			t.Fatalf("%d tasks, %d failures", len(out.Tasks), len(out.Failures))
		}
		return out.Failures[0]
	}
	f := run(&sdk.RunTaskInput{})
	if *f.Reason != "ATTRIBUTE" {
		t.Errorf("reason %s", *f.Reason)
	}
	lacksWords(t, "the failure", *f.Detail, append(toldOfFive, "5 things", "closest of 2 container instances"))

	a.Register("d", "c", wants("ecs.capability.task-cpu-mem-limit", "com.amazonaws.ecs.capability.privileged-container")...)
	if f := run(&sdk.RunTaskInput{}); *f.Arn == near || !strings.Contains(*f.Detail, "3 things") {
		t.Errorf("the closest lacks 3 things of 5: %s %s", *f.Arn, *f.Detail)
	}
	// The failure also reports the other reasons against that host.
	f = run(&sdk.RunTaskInput{Overrides: &types.TaskOverride{Memory: aws.String("8192")}})
	if *f.Reason != "RESOURCE:MEMORY" {
		t.Errorf("reason %s", *f.Reason)
	}
	lacksWords(t, "the failure", *f.Detail, []string{"needs 8192 MiB of memory", "log driver awslogs", "volume driver rexray/ebs"})
}

func TestAllThatIsNotServedIsToldAtOnce(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	a.Register("h", "c")
	apitest.Define(t, a, "all", func(in *sdk.RegisterTaskDefinitionInput) {
		five(in)
		in.NetworkMode = types.NetworkModeAwsvpc
		in.TaskRoleArn, in.ExecutionRoleArn = aws.String("role"), aws.String("role")
		in.ContainerDefinitions[0].Secrets = []types.Secret{{Name: aws.String("S"), ValueFrom: aws.String("p")}}
		in.ContainerDefinitions[1].Secrets = []types.Secret{{Name: aws.String("S"), ValueFrom: aws.String("p")}}
		in.Volumes = append(in.Volumes, types.Volume{Name: aws.String("e"), EfsVolumeConfiguration: &types.EFSVolumeConfiguration{FileSystemId: aws.String("fs-12345678")}})
	})
	subnets := &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"s"}}}
	_, err := a.Client.RunTask(t.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("all"), NetworkConfiguration: subnets})
	apitest.WantError[*types.UnsupportedFeatureException](t, err, "1. ")
	words := []string{
		"taskRoleArn", "secrets of the containers web and api", "EFS volume e", "networkMode awsvpc (attribute ashore.network-mode.awsvpc",
		"no container instance of the cluster c offers", "privileged of the container web", "apparmor", "rexray/ebs",
	}
	if err != nil {
		lacksWords(t, "RunTask", err.Error(), words)
	}
	// CreateService reports the same and creates nothing.
	_, err = a.Client.CreateService(t.Context(), &sdk.CreateServiceInput{
		Cluster: aws.String("c"), ServiceName: aws.String("s"), TaskDefinition: aws.String("all"), DesiredCount: aws.Int32(1), NetworkConfiguration: subnets,
	})
	apitest.WantError[*types.UnsupportedFeatureException](t, err, "1. ")
	if err != nil {
		lacksWords(t, "CreateService", err.Error(), words)
	}
}

// What only concerns the pull of an image refuses no placement: it may be there
// already, and if not the pull says why.
func TestPullsRefuseNoPlacement(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	a.Register("h", "c")
	for family, image := range map[string]string{
		"ecr": "111122223333.dkr.ecr.us-east-1.amazonaws.com/shop/web:1", "public": "public.ecr.aws/nginx/nginx:latest", "hub": "nginx", "own": "registry.example.com:5000/x@sha256:" + strings.Repeat("0", 64),
		"private": "private.example.com/web",
	} {
		apitest.Define(t, a, family, func(in *sdk.RegisterTaskDefinitionInput) {
			in.ExecutionRoleArn = aws.String("role")
			in.ContainerDefinitions[0].Image = aws.String(image)
			if family == "private" {
				in.ContainerDefinitions[0].RepositoryCredentials = &types.RepositoryCredentials{CredentialsParameter: aws.String("arn:aws:secretsmanager:us-east-1:111122223333:secret:x")}
			}
		})
		out, err := a.Client.RunTask(t.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String(family)})
		if err != nil || len(out.Tasks) != 1 {
			t.Errorf("%s: %v %+v", family, err, out)
		}
	}
}
