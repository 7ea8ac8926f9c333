package placer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var errNothing = errors.New("nothing was placed")

// A definition that was deregistered meanwhile starts no task. Without the
// guarded read of its state in place it does (seen).
func TestRunTaskRacesDeregisterTaskDefinition(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	a.Register("h", "c")
	p := placer.New(placer.Config{Store: a.Store})
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error {
		_, err := placer.RunTx(p, tx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep:1")})
		return err
	}, func() {
		apitest.Must[*sdk.DeregisterTaskDefinitionOutput](t)(a.Client.DeregisterTaskDefinition(t.Context(), &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("sleep:1")}))
	})
	apitest.WantError[*types.ClientException](t, err, "TaskDefinition is inactive")
}

// A revision that has gone through its whole life while a task was being placed
// has no state at the end, as it had none at the beginning. Without the guarded
// read of the revision itself in place the task is placed (seen).
func TestRunTaskRacesBurial(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	a.Register("h", "c")
	p := placer.New(placer.Config{Store: a.Store})
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error {
		_, err := placer.RunTx(p, tx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep:1")})
		return err
	}, func() {
		apitest.Must[*sdk.DeregisterTaskDefinitionOutput](t)(a.Client.DeregisterTaskDefinition(t.Context(), &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("sleep:1")}))
		apitest.Must[*sdk.DeleteTaskDefinitionsOutput](t)(a.Client.DeleteTaskDefinitions(t.Context(), &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: []string{"sleep:1"}}))
		apitest.Bury(t, a, "sleep", 1)
	})
	apitest.WantError[*types.ClientException](t, err, "TaskDefinition not found.")
}

// No task is placed on an instance that was deregistered meanwhile. Without the claim
// of its guard one is (seen).
func TestRunTaskRacesDeregister(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	arn, _ := a.Register("h", "c")
	p := placer.New(placer.Config{Store: a.Store})
	in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")}
	idle, _ := a.Register("h2", "c")
	a.Connect(arn, false) // leaves the idle one to choose
	err := apitest.Between(t, a.Store, func(tx *store.Tx) error {
		n, err := placer.RunTx(p, tx, in)
		if err == nil && n == 0 {
			return errNothing
		}
		return err
	}, func() {
		apitest.Must[*sdk.DeregisterContainerInstanceOutput](t)(a.Client.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{Cluster: aws.String("c"), ContainerInstance: aws.String(idle)}))
	})
	if !errors.Is(err, errNothing) {
		t.Errorf("placed on an instance that was deregistered meanwhile: %v", err)
	}
}

// Nothing is placed on an instance that was drained, or that lost the attribute
// which it was chosen for, between decision and commit. Without the claims of
// its guard both happen (seen).
func TestRunTaskRacesChangesOfInstance(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	arn, _ := a.Register("h", "c", types.Attribute{Name: aws.String("rack"), Value: aws.String("1")})
	p := placer.New(placer.Config{Store: a.Store})
	run := func(tx *store.Tx) error {
		n, err := placer.RunTx(p, tx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), PlacementConstraints: []types.PlacementConstraint{apitest.MemberOf("attribute:rack exists")}})
		if err == nil && n == 0 {
			return errNothing
		}
		return err
	}
	err := apitest.Between(t, a.Store, run, func() {
		apitest.Must[*sdk.DeleteAttributesOutput](t)(c.DeleteAttributes(ctx, &sdk.DeleteAttributesInput{Cluster: aws.String("c"), Attributes: []types.Attribute{{Name: aws.String("rack"), TargetId: &arn}}}))
	})
	if err != errNothing {
		t.Errorf("without the attribute: %v", err)
	}
	apitest.Must[*sdk.PutAttributesOutput](t)(c.PutAttributes(ctx, &sdk.PutAttributesInput{Cluster: aws.String("c"), Attributes: []types.Attribute{{Name: aws.String("rack"), TargetId: &arn}}}))
	err = apitest.Between(t, a.Store, run, func() {
		apitest.Must[*sdk.UpdateContainerInstancesStateOutput](t)(c.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{Cluster: aws.String("c"), ContainerInstances: []string{arn}, Status: types.ContainerInstanceStatusDraining}))
	})
	apitest.WantError[*types.InvalidParameterException](t, err, "No Container Instances were found in your cluster.")
}

// runTask has a placer carry out a call of RunTask.
func runTask(ctx context.Context, p *placer.Placer, in *sdk.RunTaskInput) (placer.Outcome, error) {
	l, err := placer.RunTaskLaunch(in, "")
	if err != nil {
		return placer.Outcome{}, err
	}
	return p.Place(ctx, l)
}

// Two servers that place at once give nothing away twice. Without the claim of
// the host's guard in place they do (seen).
func TestTwoServersNeverOvercommit(t *testing.T) {
	const hosts, fit = 12, 2 // 2048 CPU units each, 1024 a task
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	for i := range hosts {
		a.Register(fmt.Sprint("h", i), "c")
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var placers []*placer.Placer
	var stores []*store.Store
	for range 2 {
		st := a.Another()
		p := placer.New(placer.Config{Store: st, Log: a.Log})
		placers, stores = append(placers, p), append(stores, st)
		wg.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	var placed, failed [2]int
	var callers sync.WaitGroup
	for i, p := range placers {
		callers.Go(func() {
			for range 2 * hosts {
				out, err := runTask(ctx, p, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep")})
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
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
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

// A token that started only some of its tasks answers its failures again. One that
// started none has no effect to protect, and its call is placed again.
func TestTokenAndFailures(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	a.Register("h1", "c")
	in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(3), ClientToken: aws.String("some")}
	for range 2 {
		out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in))
		if len(out.Tasks) != 2 || len(out.Failures) != 1 || *out.Failures[0].Reason != "RESOURCE:CPU" {
			t.Errorf("%d tasks, failures %+v", len(out.Tasks), out.Failures)
		}
	}
	none := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), ClientToken: aws.String("none")}
	if out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, none)); len(out.Failures) != 1 {
		t.Errorf("placed on a full host: %+v", out)
	}
	a.Register("h2", "c")
	if out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, none)); len(out.Tasks) != 1 {
		t.Errorf("not placed on a host that has come: %+v", out)
	}
}

// A call that comes from a server that has slept is not carried out any more once
// another one with its token was answered that nothing was placed: its caller may
// have given up. Without the record of the empty outcome it places two tasks (seen).
func TestTokenOfASleeper(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	a.Register("h1", "c")
	in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(2), ClientToken: aws.String("token-1")}
	p := placer.New(placer.Config{Store: a.Store})
	began := a.Store.Snapshot().Revision()
	placed := -1
	err := apitest.Between(t, a.Store, func(tx *store.Tx) (err error) {
		placed, err = placer.RunSinceTx(p, tx, in, began)
		return err
	}, func() {
		if placed != 2 {
			t.Fatalf("%d placed at first", placed)
		}
		apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(2)}))
		if out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in)); len(out.Tasks) != 0 || len(out.Failures) != 2 {
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
	if out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in)); len(out.Tasks) != 2 {
		t.Errorf("a later call: %+v", out)
	}
}
