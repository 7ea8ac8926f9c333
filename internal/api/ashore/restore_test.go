package ashore_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/api/ashore"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func putRecord[V any](t *testing.T, a *apitest.API, k store.Key[V], v *V) {
	t.Helper()
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		store.Get(tx, k)
		return store.Put(tx, k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRestore: what hosts have run since the backup can be told, and what becomes of
// it is decided once.
func TestRestore(t *testing.T) {
	a := apitest.Start(t)
	api := ashore.New(ashore.Config{Store: a.Store, Sealer: a.Sealer, Version: "test"})
	ctx := t.Context()
	inst, _ := a.Register("h", "default")
	instance := inst[len(inst)-32:]
	none, err := api.DescribeRestore(ctx, &ashore.DescribeRestoreInput{})
	if err != nil || none.Restored || none.Unknown != 0 {
		t.Fatalf("%+v, %v", none, err)
	}
	held := fleet.NewID()
	putRecord(t, a, store.TaskKey("default", held), &fleet.Task{Cluster: "default", ID: held, Instance: instance, Family: "f", Revision: 1})
	putRecord(t, a, store.RestoredKey(), &fleet.Restored{At: time.Unix(20, 0), BackupAt: time.Unix(10, 0)})
	ids := []string{fleet.NewID(), fleet.NewID(), fleet.NewID()}
	for i, id := range ids {
		putRecord(t, a, store.TaskKey("default", id), &fleet.Task{Cluster: "default", ID: id, Instance: instance, Family: "gone", Revision: 7, LaunchType: types.LaunchTypeExternal,
			StartedBy: fleet.StartedUnknown, Unknown: true, CreatedAt: time.Unix(30, 0), Containers: []fleet.TaskContainer{{Name: "c", ID: "u"}}})
		status := fleet.TaskRunning
		if i == 2 {
			status = fleet.TaskStopped
		}
		putRecord(t, a, store.TaskReportKey("default", id), &fleet.TaskReport{Status: status, StartedAt: time.Unix(30, 0), Containers: []fleet.ContainerReport{{Name: "c", Status: status, RuntimeID: "r"}}})
	}
	r, err := api.DescribeRestore(ctx, &ashore.DescribeRestoreInput{})
	if err != nil || !r.Restored || !r.BackupAt.Equal(time.Unix(10, 0)) || r.Unknown != 2 || len(r.Tasks) != 2 || r.Away != 0 || r.Held != 1 ||
		r.Tasks[0].TaskDefinition != "gone:7" || r.Tasks[0].ContainerInstanceARN != inst {
		t.Errorf("%+v, %v", r, err)
	}
	// They are shown, though what they are made of is not known here.
	l, err := a.Client.ListTasks(ctx, &ecs.ListTasksInput{StartedBy: aws.String("ashore-unknown")})
	if err != nil || len(l.TaskArns) != 2 {
		t.Fatalf("%+v, %v", l, err)
	}
	d, err := a.Client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: l.TaskArns, Include: []types.TaskField{types.TaskFieldTags}})
	if err != nil || len(d.Tasks) != 2 || *d.Tasks[0].LastStatus != "RUNNING" || *d.Tasks[0].Containers[0].RuntimeId != "r" ||
		*d.Tasks[0].TaskDefinitionArn != "arn:aws:ecs:"+apitest.Site.Region+":"+apitest.Site.Account+":task-definition/gone:7" {
		text, _ := json.Marshal(d)
		t.Errorf("%s, %v", text, err)
	}

	out, err := api.EndRestore(ctx, &ashore.EndRestoreInput{Stop: true})
	if err != nil || out.Stopped != 2 || a.Store.Snapshot().Restored() != nil {
		t.Errorf("%+v, %v", out, err)
	}
	for i, id := range ids {
		if stop := a.Store.Snapshot().Task("default", id).Stop; (stop != nil) != (i < 2) || stop != nil && stop.Code != types.TaskStopCodeUserInitiated {
			t.Errorf("%d: %+v", i, stop)
		}
	}
	if a.Store.Snapshot().Task("default", held).Stop != nil {
		t.Error("a task of the backup is stopped")
	}
	if r, err := api.DescribeRestore(ctx, &ashore.DescribeRestoreInput{}); err != nil || r.Restored || r.Unknown != 2 || !r.Tasks[0].Stopping {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRestoreKept(t *testing.T) {
	a := apitest.Start(t)
	api := ashore.New(ashore.Config{Store: a.Store, Sealer: a.Sealer, Version: "test"})
	putRecord(t, a, store.RestoredKey(), &fleet.Restored{At: time.Unix(20, 0)})
	id := fleet.NewID()
	a.Register("h", "default")
	putRecord(t, a, store.TaskKey("default", id), &fleet.Task{Cluster: "default", ID: id, Instance: fleet.NewID(), StartedBy: fleet.StartedUnknown, Unknown: true})
	out, err := api.EndRestore(t.Context(), &ashore.EndRestoreInput{})
	if s := a.Store.Snapshot(); err != nil || out.Stopped != 0 || s.Restored() != nil || s.Task("default", id).Stop != nil {
		t.Errorf("%+v, %v", out, err)
	}
}
