package ecs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// between runs first as a transaction and lets meanwhile happen after it has
// decided and before it commits. It returns the transaction's last error.
func between(t *testing.T, st *store.Store, first func(*store.Tx) error, meanwhile func()) error {
	t.Helper()
	done := false
	return st.Update(t.Context(), func(tx *store.Tx) error {
		if err := first(tx); err != nil {
			return err
		}
		if !done {
			done = true
			meanwhile()
		}
		return nil
	})
}

func registerSleep(t *testing.T, a *apitest.API) {
	t.Helper()
	must[*sdk.RegisterTaskDefinitionOutput](t)(a.Client.RegisterTaskDefinition(t.Context(), &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("sleep"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("busybox"), Cpu: 1024, Memory: aws.Int32(64)}},
	}))
}

// A cluster is not deleted under a task that was placed while it was looked at.
// Without Unchanged in deleteCluster the deletion commits (seen).
func TestDeleteClusterRacesRunTask(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	createCluster(t, a, "c")
	registerSleep(t, a)
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	err := between(t, a.Store, func(tx *store.Tx) error { return ecsapi.DeleteClusterTx(s, tx, "c") }, func() {
		a.Register("h", "c")
		run := must[*sdk.RunTaskOutput](t)(a.Client.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}))
		if len(run.Tasks) != 1 {
			t.Fatalf("run: %+v", run.Failures)
		}
	})
	wantError[*types.ClusterContainsTasksException](t, err, "while Tasks are active")
}

// Nothing joins a cluster that was deleted while it was looked at. Without the
// guarded read in clusterTx the instance is stored (seen).
func TestRegisterRacesDeleteCluster(t *testing.T) {
	a := apitest.Start(t)
	createCluster(t, a, "c")
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	in := &ecsapi.RegisterContainerInstanceInput{Cluster: aws.String("c"), TotalResources: apitest.Resources(1, 1)}
	err := between(t, a.Store, func(tx *store.Tx) error { return ecsapi.RegisterTx(s, tx, in) }, func() {
		must[*sdk.DeleteClusterOutput](t)(a.Client.DeleteCluster(t.Context(), &sdk.DeleteClusterInput{Cluster: aws.String("c")}))
	})
	wantError[*types.InvalidParameterException](t, err, "inactive")
}

// A definition that was deregistered meanwhile starts no task. Without the
// guarded read of its state in serve it does (seen).
func TestRunTaskRacesDeregisterTaskDefinition(t *testing.T) {
	a := apitest.Start(t)
	createCluster(t, a, "c")
	registerSleep(t, a)
	a.Register("h", "c")
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	err := between(t, a.Store, func(tx *store.Tx) error {
		_, err := ecsapi.RunTx(s, tx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep:1")})
		return err
	}, func() {
		must[*sdk.DeregisterTaskDefinitionOutput](t)(a.Client.DeregisterTaskDefinition(t.Context(), &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("sleep:1")}))
	})
	wantError[*types.ClientException](t, err, "TaskDefinition is inactive")
}

// An instance is not deregistered under a task, nor a task placed on an instance
// that was deregistered meanwhile. Without the claims of its guard both happen
// (seen).
func TestDeregisterRacesRunTask(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	createCluster(t, a, "c")
	registerSleep(t, a)
	arn, _ := a.Register("h", "c")
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	id := arn[len(arn)-fleet.IDLength:]
	run := func() *sdk.RunTaskInput { // the client puts its token into it
		return &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}
	}
	err := between(t, a.Store, func(tx *store.Tx) error { return ecsapi.DeregisterTx(s, tx, "c", id) }, func() {
		must[*sdk.RunTaskOutput](t)(a.Client.RunTask(ctx, run()))
	})
	wantError[*types.InvalidParameterException](t, err, "Found running tasks on the instance.")

	idle, _ := a.Register("h2", "c")
	a.Connect(arn, false) // leaves the idle one to choose
	err = between(t, a.Store, func(tx *store.Tx) error {
		n, err := ecsapi.RunTx(s, tx, run())
		if err == nil && n == 0 {
			return errNothing
		}
		return err
	}, func() {
		must[*sdk.DeregisterContainerInstanceOutput](t)(a.Client.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{Cluster: aws.String("c"), ContainerInstance: aws.String(idle)}))
	})
	if !errors.Is(err, errNothing) {
		t.Errorf("placed on an instance that was deregistered meanwhile: %v", err)
	}
}

var errNothing = errors.New("nothing was placed")

// Two servers that place at once give nothing away twice. Without the claim of
// the host's guard in serve they do (seen).
func TestTwoServersNeverOvercommit(t *testing.T) {
	const hosts, fit = 12, 2 // 2048 CPU units each, 1024 a task
	a := apitest.Start(t)
	createCluster(t, a, "c")
	registerSleep(t, a)
	for i := range hosts {
		a.Register(fmt.Sprint("h", i), "c")
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var services []*ecsapi.Service
	var stores []*store.Store
	for range 2 {
		st := a.Another()
		s := ecsapi.New(ecsapi.Config{Store: st, Log: a.Log})
		services, stores = append(services, s), append(stores, st)
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	var placed, failed [2]int
	var callers sync.WaitGroup
	for i, s := range services {
		callers.Go(func() {
			for range 2 * hosts {
				out, err := s.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")})
				if err != nil {
					t.Error(err)
					return
				}
				placed[i] += len(out.Tasks)
				failed[i] += len(out.Failures)
			}
		})
	}
	callers.Wait()
	snap, err := stores[0].Fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range snap.Instances("c", "") {
		if u := snap.Usage("c", i.ID); u != nil && u.CPU > i.Registered.CPU {
			t.Errorf("instance %s: %d of %d CPU units are given away", i.ID, u.CPU, i.Registered.CPU)
		}
	}
	if n := placed[0] + placed[1]; n != hosts*fit {
		t.Errorf("%d tasks placed on hosts for %d (failures %v)", n, hosts*fit, failed)
	}
}

// One clientToken starts its tasks once, however often and from wherever it is
// repeated. Without the token's record and the derived ids it doubles (seen).
func TestOneTokenStartsOnce(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	createCluster(t, a, "c")
	registerSleep(t, a)
	a.Register("h1", "c")
	in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(2), ClientToken: aws.String("token-1")}
	arns := make([]map[string]bool, 8)
	var wg sync.WaitGroup
	for i := range arns {
		wg.Go(func() {
			out, err := c.RunTask(ctx, in)
			if err != nil {
				t.Error(err)
				return
			}
			arns[i] = map[string]bool{}
			for _, task := range out.Tasks {
				arns[i][*task.TaskArn] = true
			}
		})
	}
	wg.Wait()
	for _, got := range arns {
		if len(got) != 2 || fmt.Sprint(got) != fmt.Sprint(arns[0]) {
			t.Errorf("answers differ: %v and %v", got, arns[0])
		}
	}
	if n := a.Store.Snapshot().Counts("c"); n.Pending != 2 {
		t.Errorf("%d tasks were started", n.Pending)
	}
	other := *in
	other.Count = aws.Int32(1)
	_, err := c.RunTask(ctx, &other)
	var conflict *types.ConflictException
	if !errors.As(err, &conflict) || len(conflict.ResourceIds) != 2 || !arns[0][conflict.ResourceIds[0]] {
		t.Errorf("the same token with other parameters: %v, resources %v", err, conflict)
	}
}

// A token that started only some of its tasks answers its failures again; one
// that started none has no effect to protect and is placed anew.
func TestTokenAndFailures(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	createCluster(t, a, "c")
	registerSleep(t, a)
	a.Register("h1", "c")
	in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(3), ClientToken: aws.String("some")}
	for range 2 {
		out := must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in))
		if len(out.Tasks) != 2 || len(out.Failures) != 1 || *out.Failures[0].Reason != "RESOURCE:CPU" {
			t.Errorf("%d tasks, failures %+v", len(out.Tasks), out.Failures)
		}
	}
	none := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), ClientToken: aws.String("none")}
	if out := must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, none)); len(out.Failures) != 1 {
		t.Errorf("placed on a full host: %+v", out)
	}
	a.Register("h2", "c")
	if out := must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, none)); len(out.Tasks) != 1 {
		t.Errorf("not placed on a host that has come: %+v", out)
	}
}

// A call that comes from a server that has slept is not carried out any more once
// another one with its token was answered that nothing was placed: its caller may
// have given up. Without the record of the empty outcome it places two tasks (seen).
func TestTokenOfASleeper(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	createCluster(t, a, "c")
	registerSleep(t, a)
	a.Register("h1", "c")
	in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(2), ClientToken: aws.String("token-1")}
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	began := a.Store.Snapshot().Revision()
	placed := -1
	err := between(t, a.Store, func(tx *store.Tx) (err error) {
		placed, err = ecsapi.RunSinceTx(s, tx, in, began)
		return err
	}, func() {
		if placed != 2 {
			t.Fatalf("%d placed at first", placed)
		}
		must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(2)}))
		if out := must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in)); len(out.Tasks) != 0 || len(out.Failures) != 2 {
			t.Fatalf("the repetition: %+v", out)
		}
		a.Register("h2", "c")
	})
	if err != nil || placed != 0 {
		t.Errorf("%d placed by a call whose repetition was told that there was no room; %v", placed, err)
	}
	if n := a.Store.Snapshot().Counts("c"); n.Pending != 2 {
		t.Errorf("%d tasks are there", n.Pending)
	}
	if out := must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in)); len(out.Tasks) != 2 {
		t.Errorf("a later call: %+v", out)
	}
}
