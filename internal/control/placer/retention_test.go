package placer_test

import (
	"context"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/control/reaper"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A clientToken outlives the tasks that it started, also where these are
// forgotten by number: its repetition starts nothing. Without the token's record
// in repeated the tasks run again (seen).
func TestTokenOutlivesItsTasks(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	_, host := a.Register("h", "c")
	placed := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), ClientToken: aws.String("placed")}
	waits := apitest.RunOn(1)
	waits.ClientToken = aws.String("waits")
	var arns []string
	for _, in := range []*sdk.RunTaskInput{placed, waits} {
		out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in))
		arns = append(arns, *out.Tasks[0].TaskArn)
	}
	reap := func(l reaper.Limits, now time.Time) {
		t.Helper()
		err := a.Store.Lead(ctx, "reaper", "test", func(ctx context.Context, term *store.Term) error {
			r := &reaper.Reaper{Store: a.Store, Limits: l, Now: func() time.Time { return now }, Log: a.Log}
			return r.Reap(ctx, term)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limits := reaper.Limits{StoppedAge: time.Hour, Stopped: 1, TokenAge: time.Hour}
	reap(limits, time.Now())
	if n := a.Store.Snapshot().Counts("c"); n.Waiting != 1 || n.Pending != 2 {
		t.Fatalf("forgotten before they ended: %+v", n)
	}
	apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: &arns[0], Status: aws.String("STOPPED")}))
	apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: &arns[1]}))
	reap(limits, time.Now())
	if n := a.Store.Snapshot().Counts("c"); n.Stopped != 1 {
		t.Fatalf("kept by number: %+v", n)
	}
	again := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, placed))
	if len(again.Tasks) != 0 || len(again.Failures) != 1 || *again.Failures[0].Reason != "MISSING" || *again.Failures[0].Arn != arns[0] {
		t.Errorf("the token of a forgotten task: %+v", again)
	}
	again = apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, waits))
	if len(again.Tasks) != 1 || *again.Tasks[0].TaskArn != arns[1] || *again.Tasks[0].LastStatus != "STOPPED" {
		t.Errorf("the token of a task that is kept: %+v", again)
	}
	// Tasks that never had a host are deleted by age, too. A token that has expired
	// starts new tasks.
	reap(limits, time.Now().Add(2*time.Hour))
	if n := a.Store.Snapshot().Counts("c"); n.Stopped != 0 {
		t.Errorf("kept by time: %+v", n)
	}
	again = apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, placed))
	if len(again.Tasks) != 1 || *again.Tasks[0].LastStatus != "PENDING" {
		t.Errorf("after the token's time: %+v", again)
	}
}
