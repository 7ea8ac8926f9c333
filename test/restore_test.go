package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/pace"
)

// TestRestoreOfAnOlderBackup: tasks that were started since the backup run on, are
// shown, and keep their resources. The operator stops them.
func TestRestoreOfAnOlderBackup(t *testing.T) {
	i := newInstallation(t)
	i.up()
	ctx := t.Context()
	api := client.New(i.admin())
	defer api.Close()
	address := freeAddress(t)
	var port int32
	if _, err := fmt.Sscan(address[strings.LastIndexByte(address, ':')+1:], &port); err != nil {
		t.Fatal(err)
	}
	define := func(family string, mappings ...types.PortMapping) {
		t.Helper()
		_, err := api.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: &family, ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("c"), Image: aws.String("localhost/ashore/sample:latest"), Command: []string{"sleep", "3600"}, Memory: aws.Int32(16), PortMappings: mappings}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	status := func(arn string) string {
		t.Helper()
		d, err := api.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: []string{arn}})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Tasks) == 0 {
			return "MISSING"
		}
		return *d.Tasks[0].LastStatus
	}
	await := func(arn, want string) {
		t.Helper()
		for begun := time.Now(); status(arn) != want; {
			if time.Since(begun) > time.Minute || pace.Sleep(ctx, 50*time.Millisecond) != nil {
				t.Fatalf("%s is %s, not %s", arn, status(arn), want)
			}
		}
	}
	run := func(family string) string {
		t.Helper()
		r, err := api.ECS.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: &family})
		if err != nil || len(r.Tasks) != 1 {
			t.Fatalf("run %s: %+v, %v", family, r, err)
		}
		await(*r.Tasks[0].TaskArn, "RUNNING")
		return *r.Tasks[0].TaskArn
	}
	stop := func(arn string) {
		t.Helper()
		if _, err := api.ECS.StopTask(ctx, &ecs.StopTaskInput{Task: &arn}); err != nil {
			t.Fatal(err)
		}
		await(arn, "STOPPED")
	}
	container := func(family string) string { // the running one's
		for _, name := range i.containers() {
			if strings.HasPrefix(name, "/ecs-"+family+"-") {
				return name
			}
		}
		return ""
	}

	define("old")
	old, goesOn := run("old"), run("old")
	backup := filepath.Join(i.home, "backup")
	i.run("backup", backup)
	define("young", types.PortMapping{ContainerPort: aws.Int32(8080), HostPort: &port})
	stop(old)
	young := run("young")
	before := i.containers()
	i.run("down")
	if err := os.Rename(filepath.Join(i.Layout.Server(), "etcd"), filepath.Join(i.home, "etcd.old")); err != nil {
		t.Fatal(err)
	}
	if out := i.run("restore", backup); !strings.Contains(out, "tasks that hosts have started since then are not in it. They run on, as unknown ones: `ashore unknown`") {
		t.Errorf("restore does not say what comes:\n%s", out)
	}
	i.up("--no-sample")
	await(old, "STOPPED")
	await(young, "RUNNING")
	if got := i.containers(); !slices.Equal(got, before) {
		t.Errorf("containers are %v, were %v", got, before)
	}
	out := i.run("unknown")
	for _, want := range []string{"from a backup of ", "unknown tasks: 1\n", young + "  young:1  RUNNING, on ", "`ashore unknown --stop`"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := i.run("explain", young[strings.LastIndexByte(young, '/')+1:]); !strings.Contains(out, "a backup that does not have the task") {
		t.Errorf("explain:\n%s", out)
	}
	// Its port stays reserved. The number of a revision may be used again.
	define("young", types.PortMapping{ContainerPort: aws.Int32(8080), HostPort: &port})
	r, err := api.ECS.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: aws.String("young")})
	if err != nil || len(r.Failures) != 1 || *r.Failures[0].Reason != "RESOURCE:PORTS" {
		t.Errorf("a second task on the port: %+v, %v", r, err)
	}
	// Neither a restart nor another connection changes anything.
	pids := i.kill("server", "agent")
	for name, pid := range pids {
		i.await(name, pid)
	}
	if got := i.containers(); !slices.Equal(got, before) || status(young) != "RUNNING" || status(goesOn) != "RUNNING" {
		t.Errorf("after a restart: containers %v, were %v", got, before)
	}

	if out := i.run("unknown", "--stop"); !strings.Contains(out, "stopping 1 unknown tasks") {
		t.Errorf("unknown --stop: %s", out)
	}
	await(young, "STOPPED")
	if container("young") != "" || container("old") == "" {
		t.Errorf("containers after the stop: %v", i.containers())
	}
	if out := i.run("unknown"); out != "no task is unknown\n" {
		t.Errorf("afterwards: %s", out)
	}
	run("young")
	i.run("down", "--tasks")
}
