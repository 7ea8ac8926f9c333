package ecs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// serviceTask writes a task of a service, as the service scheduler will.
func serviceTask(t *testing.T, a *apitest.API, cluster string) (id string) {
	t.Helper()
	id = fleet.NewID()
	apitest.Write(t, a, store.TaskKey(cluster, id), &fleet.Task{Cluster: cluster, ID: id, Instance: "i", Family: "f", Revision: 1, Group: "service:web"})
	return id
}

func TestTaskProtection(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := ecsapi.New(ecsapi.Config{Store: a.Store, Now: func() time.Time { return now }})
	one, two := serviceTask(t, a, "c"), serviceTask(t, a, "c")
	cluster := aws.String("c")
	// state is what GetTaskProtection says of the two.
	state := func() string {
		t.Helper()
		out := apitest.Must[*ecs.GetTaskProtectionOutput](t)(s.GetTaskProtection(ctx, &ecs.GetTaskProtectionInput{Cluster: cluster, Tasks: []string{one, apitest.Site.TaskARN("c", two)}}))
		var all []string
		for _, p := range out.ProtectedTasks {
			if p.ProtectionEnabled != (p.ExpirationDate != nil) {
				t.Errorf("%+v", p)
			}
			left := "-"
			if p.ExpirationDate != nil {
				left = p.ExpirationDate.Sub(now).String()
			}
			all = append(all, left)
		}
		return fmt.Sprint(all, len(out.Failures))
	}
	update := func(on bool, minutes *int32, tasks ...string) {
		t.Helper()
		out := apitest.Must[*ecs.UpdateTaskProtectionOutput](t)(s.UpdateTaskProtection(ctx, &ecs.UpdateTaskProtectionInput{
			Cluster: cluster, Tasks: tasks, ProtectionEnabled: on, ExpiresInMinutes: minutes,
		}))
		if len(out.ProtectedTasks) != len(tasks) || len(out.Failures) != 0 || out.ProtectedTasks[0].ProtectionEnabled != on {
			t.Errorf("update: %+v", out)
		}
	}
	want := func(what string) {
		t.Helper()
		if got := state(); got != what {
			t.Errorf("protection is %s, want %s", got, what)
		}
	}
	want("[- -] 0")
	update(true, nil, one)
	want("[2h0m0s -] 0")
	now = now.Add(time.Hour)
	want("[1h0m0s -] 0")
	update(true, aws.Int32(2880), one, two)
	want("[48h0m0s 48h0m0s] 0")
	update(true, aws.Int32(1), one)
	// Tags and protection don't disturb each other.
	arn := apitest.Site.TaskARN("c", one)
	apitest.Must[*ecs.TagResourceOutput](t)(a.Client.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{tag("k", "v")}}))
	want("[1m0s 48h0m0s] 0")
	update(false, aws.Int32(5), two)
	want("[1m0s -] 0")
	all := apitest.Must[*ecs.GetTaskProtectionOutput](t)(s.GetTaskProtection(ctx, &ecs.GetTaskProtectionInput{Cluster: cluster}))
	if len(all.ProtectedTasks) != 1 || *all.ProtectedTasks[0].TaskArn != arn {
		t.Errorf("the cluster's protected tasks: %+v", all.ProtectedTasks)
	}
	rev := a.Store.Snapshot().Revision()
	now = now.Add(time.Minute)
	want("[- -] 0")
	if a.Store.Snapshot().Revision() != rev || tagsOf(t, a.Client, arn) != "k=v" {
		t.Error("the end of a protection was written, or took the tags with it")
	}
}

func TestTaskProtectionFailures(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	standalone, ended, waiting := fleet.NewID(), serviceTask(t, a, "c"), fleet.NewID()
	apitest.Write(t, a, store.TaskKey("c", standalone), &fleet.Task{Cluster: "c", ID: standalone, Instance: "i", Family: "f", Revision: 1, Group: "family:f"})
	apitest.Write(t, a, store.TaskStopKey("c", ended), &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated})
	apitest.Write(t, a, store.WaitingTaskKey("c", waiting), &fleet.Task{Cluster: "c", ID: waiting, Family: "f", Group: "service:web"})
	good := serviceTask(t, a, "c")
	in := &ecs.UpdateTaskProtectionInput{Cluster: aws.String("c"), ProtectionEnabled: true, Tasks: []string{
		standalone, ended, waiting, fleet.NewID(), apitest.Site.TaskARN("other", good), good,
	}}
	out := apitest.Must[*ecs.UpdateTaskProtectionOutput](t)(a.Client.UpdateTaskProtection(ctx, in))
	var reasons []string
	for _, f := range out.Failures {
		reasons = append(reasons, *f.Reason)
	}
	if fmt.Sprint(reasons) != "[TASK_NOT_VALID TASK_NOT_VALID TASK_NOT_VALID MISSING MISSING]" || len(out.ProtectedTasks) != 1 {
		t.Errorf("%v, %+v", reasons, out.ProtectedTasks)
	}
	got := apitest.Must[*ecs.GetTaskProtectionOutput](t)(a.Client.GetTaskProtection(ctx, &ecs.GetTaskProtectionInput{Cluster: aws.String("c"), Tasks: in.Tasks}))
	if len(got.Failures) != 5 || len(got.ProtectedTasks) != 1 {
		t.Errorf("Get: %+v", got)
	}
	for say, change := range map[string]func(*ecs.UpdateTaskProtectionInput){
		"Cluster can not be blank": func(in *ecs.UpdateTaskProtectionInput) { in.Cluster = aws.String("") },
		"cannot be empty":          func(in *ecs.UpdateTaskProtectionInput) { in.Tasks = []string{} },
		"cannot exceed 10":         func(in *ecs.UpdateTaskProtectionInput) { in.Tasks = make([]string, 11) },
		"not 0":                    func(in *ecs.UpdateTaskProtectionInput) { in.ExpiresInMinutes = aws.Int32(0) },
		"not 2881":                 func(in *ecs.UpdateTaskProtectionInput) { in.ExpiresInMinutes = aws.Int32(2881) },
		"taskId length":            func(in *ecs.UpdateTaskProtectionInput) { in.Tasks = []string{"short"} },
	} {
		bad := *in
		change(&bad)
		_, err := a.Client.UpdateTaskProtection(ctx, &bad)
		apitest.WantError[*types.InvalidParameterException](t, err, say)
	}
	_, err := a.Client.GetTaskProtection(ctx, &ecs.GetTaskProtectionInput{Cluster: aws.String("none")})
	apitest.WantError[*types.ClusterNotFoundException](t, err, "not found")
	_, err = a.Client.GetTaskProtection(ctx, &ecs.GetTaskProtectionInput{Cluster: aws.String("c"), Tasks: make([]string, 101)})
	apitest.WantError[*types.InvalidParameterException](t, err, "cannot exceed 100")
}
