package ecs_test

import (
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/control/explain"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A call that needs a record which can't be read is refused, and says which one;
// the record stays as it is, and others are served.
func TestUnreadableRecord(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.CreateCluster(t, a, "d")
	a.Register("h", "d")
	apitest.Define(t, a, "sleep", func(*sdk.RegisterTaskDefinitionInput) {})
	mend := a.Spoil("cluster/c")
	for name, call := range map[string]func() error{
		"CreateCluster": func() error {
			_, err := c.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("c")})
			return err
		},
		"RunTask": func() error {
			_, err := c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")})
			return err
		},
	} {
		apitest.WantError[*types.ServerException](t, call(), "The stored record cluster/c can't be read")
		if err := call(); err == nil {
			t.Errorf("%s was carried out", name)
		}
	}
	out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("d"), TaskDefinition: aws.String("sleep")}))
	if len(out.Tasks) != 1 {
		t.Errorf("in another cluster: %+v", out.Failures)
	}

	if e, err := explained(a, "d", "sleep"); err != nil || len(e.Placement) != 1 {
		t.Errorf("explained: %+v, %v", e, err)
	}
	for what, key := range map[string]string{
		apitest.Site.TaskARN("d", "t"): "cluster/d/task/t", "web": "cluster/d/service/web", "sleep": "family/sleep/revision/00000001",
	} {
		mend := a.Spoil(key)
		e, err := explained(a, "d", what)
		switch {
		case what == "sleep" && (err == nil || !strings.Contains(err.Error(), key)):
			t.Errorf("%s: %v", what, err)
		case what != "sleep" && (err != nil || len(e.Findings) == 0 || !strings.Contains(e.Findings[0].Text, key)):
			t.Errorf("%s: %+v, %v", what, e, err)
		}
		mend()
	}

	// What may lie below a cluster keeps it.
	mend()
	mend = a.Spoil("cluster/c/task/t")
	_, err := c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")})
	apitest.WantError[*types.ServerException](t, err, "cluster/c/task/t")
	mend()
	if err := a.Store.Update(ctx, func(tx *store.Tx) error { store.Get(tx, store.TaskKey("c", "t")); return nil }); err != nil {
		t.Error(err)
	}
	apitest.Must[*sdk.DeleteClusterOutput](t)(c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")}))
}

func explained(a *apitest.API, cluster, what string) (*explain.Explanation, error) {
	return ecsapi.New(ecsapi.Config{Store: a.Store, Placer: placer.New(placer.Config{Store: a.Store}), Log: a.Log}).Explain(a.T.Context(), &cluster, what)
}
