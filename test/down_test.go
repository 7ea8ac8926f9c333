package test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sys/unix"

	"github.com/ashore/ashore/internal/client"
)

// runLimitedTask runs a task with limits of its own and returns its id.
func (i *installation) runLimitedTask() string {
	i.Helper()
	api := client.New(i.admin())
	defer api.Close()
	image := i.sampleImage(api)
	_, err := api.ECS.RegisterTaskDefinition(i.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("limited"), Cpu: aws.String("128"), Memory: aws.String("64"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: image, Command: []string{"sleep", "infinity"}}},
	})
	if err != nil {
		i.Fatal(err)
	}
	run, err := api.ECS.RunTask(i.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("limited")})
	if err != nil || len(run.Tasks) != 1 {
		i.Fatal(run, err)
	}
	arn := run.Tasks[0].TaskArn
	wait := ecs.NewTasksRunningWaiter(api.ECS, func(o *ecs.TasksRunningWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	})
	if err := wait.Wait(i.Context(), &ecs.DescribeTasksInput{Tasks: []string{*arn}}, time.Minute); err != nil {
		i.Fatal(err)
	}
	return (*arn)[strings.LastIndexByte(*arn, '/')+1:]
}

// sampleImage returns the image that up made.
func (i *installation) sampleImage(api *client.Client) *string {
	i.Helper()
	d, err := api.ECS.DescribeTaskDefinition(i.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("ashore-sample")})
	if err != nil {
		i.Fatal(err)
	}
	return d.TaskDefinition.ContainerDefinitions[0].Image
}

// cgroups returns the folders of this machine's hierarchies that are named after a
// task.
func cgroups(t *testing.T, task string) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // other folders appear and disappear
		}
		if err == nil && d.IsDir() && strings.Contains(d.Name(), task) {
			dirs = append(dirs, path)
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// The cgroups of a task's limits are removed with its containers, by --tasks and by
// --purge. So are those of a task whose container could never be created.
func TestDownLeavesNoCgroups(t *testing.T) {
	i := newInstallation(t)
	i.up()
	task := i.runLimitedTask()
	if os.Geteuid() == 0 && len(cgroups(t, task)) == 0 {
		t.Fatal("the task has no cgroup")
	}
	i.run("down", "--tasks")
	if left := cgroups(t, task); len(left) > 0 {
		t.Errorf("after down --tasks: %q", left)
	}
	i.up()
	task = i.runLimitedTask()
	api := client.New(i.admin())
	defer api.Close()
	if _, err := api.ECS.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("absent"), Cpu: aws.String("128"), Memory: aws.String("64"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String("localhost/ashore/absent:1")}},
	}); err != nil {
		t.Fatal(err)
	}
	run, err := api.ECS.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: aws.String("absent")})
	if err != nil || len(run.Tasks) != 1 {
		t.Fatal(run, err)
	}
	absent := (*run.Tasks[0].TaskArn)[strings.LastIndexByte(*run.Tasks[0].TaskArn, '/')+1:]
	wait := ecs.NewTasksStoppedWaiter(api.ECS, func(o *ecs.TasksStoppedWaiterOptions) { o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second })
	if err := wait.Wait(t.Context(), &ecs.DescribeTasksInput{Tasks: []string{absent}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	i.run("down", "--purge")
	if left := append(cgroups(t, task), cgroups(t, absent)...); len(left) > 0 {
		t.Errorf("after down --purge: %q", left)
	}
}

// A data folder that is a mount point stays, empty, and a note says so.
func TestPurgeOfAMountPoint(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("an ordinary user mounts nothing")
		return
	}
	i := newInstallation(t)
	if err := os.MkdirAll(i.Layout.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("ashore-test", i.Layout.Data, "tmpfs", 0, "size=512m"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(i.Layout.Data, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	for _, start := range []bool{false, true} { // an empty folder, and the folder of an installation
		if start {
			i.up("--no-sample")
			if err := unix.Mount("ashore-test", i.Layout.Server()+"/", "tmpfs", 0, "size=1m"); err != nil {
				t.Fatal(err)
			}
		}
		out := i.run("down", "--purge")
		if start {
			if err := unix.Unmount(i.Layout.Server(), 0); err != nil {
				t.Error(err)
			}
			if !strings.Contains(out, "note: the folder "+i.Layout.Server()+" is kept, it is a mount point") {
				t.Errorf("%s", out)
			}
			if err := os.RemoveAll(i.Layout.Server()); err != nil {
				t.Error(err)
			}
			out = i.run("down", "--purge")
		}
		left, err := os.ReadDir(i.Layout.Data)
		if !strings.Contains(out, "note: the folder "+i.Layout.Data+" is kept, it is a mount point") || !strings.Contains(out, "all removed") || err != nil || len(left) != 0 {
			t.Errorf("%s\n%v, %v", out, left, err)
		}
	}
}
