package placer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// TestLaunchRaces: tasks of a service are launched only while the term lasts and
// the records that the decision rests on are as they were.
func TestLaunchRaces(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	for _, host := range []string{"h1", "h2", "h3"} {
		a.Register(host, "c")
	}
	apitest.CreateService(t, a, "web", 2)
	s := placer.New(placer.Config{Store: a.Store})
	launch := func(term *store.Term, after int64) placer.ServiceLaunch {
		svc := a.Store.Snapshot().Service("c", "web")
		return placer.ServiceLaunch{Term: term, Service: svc, Deployment: svc.Deployment, After: after, Count: 1}
	}
	// run launches, and lets meanwhile happen between decision and commit.
	run := func(l placer.ServiceLaunch, meanwhile func()) (placer.Launched, error) {
		var out placer.Launched
		err := apitest.Between(t, a.Store, func(tx *store.Tx) (err error) {
			out, err = placer.LaunchTx(s, tx, l)
			return err
		}, meanwhile)
		return out, err
	}
	nothing := func() {}
	tasks := func(want int) {
		t.Helper()
		if n := a.Store.Snapshot().Counts("c").Pending; n != want {
			t.Errorf("%d tasks, want %d", n, want)
		}
	}
	lead := func(f func(*store.Term)) {
		t.Helper()
		if err := a.Store.Lead(ctx, "scheduler", "test", func(_ context.Context, term *store.Term) error { f(term); return nil }); err != nil {
			t.Fatal(err)
		}
	}

	// A leader that was deposed launches nothing. Without the guard of its term in
	// place it does (seen).
	var old *store.Term
	lead(func(term *store.Term) { old = term })
	if _, err := run(launch(old, 0), nothing); !errors.Is(err, store.ErrDeposed) {
		t.Errorf("a deposed leader: %v", err)
	}
	tasks(0)
	lead(func(term *store.Term) {
		// Of two launches that rest on the same count one takes place. Without the
		// comparison of the count in place both do (seen).
		first := launch(term, 0)
		out, err := run(first, func() {
			if got, err := run(first, nothing); err != nil || got.Tasks != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
		if err != nil || !out.Stale {
			t.Errorf("the second launch after none: %+v, %v", out, err)
		}
		tasks(1)
		// Not for a service that was scaled in or deleted meanwhile. Without the
		// comparison of its record in place it is (seen).
		out, err = run(launch(term, 1), func() {
			apitest.Must[*sdk.UpdateServiceOutput](t)(a.Client.UpdateService(ctx, &sdk.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("web"), DesiredCount: aws.Int32(1)}))
		})
		if err != nil || !out.Stale {
			t.Errorf("scaled in meanwhile: %+v, %v", out, err)
		}
		out, err = run(launch(term, 1), func() {
			apitest.Must[*sdk.DeleteServiceOutput](t)(a.Client.DeleteService(ctx, &sdk.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("web"), Force: aws.Bool(true)}))
		})
		if err != nil || !out.Stale {
			t.Errorf("deleted meanwhile: %+v, %v", out, err)
		}
		tasks(1)
	})
}

// If a service's tasks find no host, one event reports everything that the closest
// host lacks.
func TestAnEventTellsAllThatAHostLacks(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "sleep", five)
	a.Register("h", "c")
	apitest.CreateService(t, a, "web", 1)
	s := placer.New(placer.Config{Store: a.Store})
	err := a.Store.Lead(ctx, "scheduler", "test", func(_ context.Context, term *store.Term) error {
		svc := a.Store.Snapshot().Service("c", "web")
		return a.Store.Update(ctx, func(tx *store.Tx) error {
			_, err := placer.LaunchTx(s, tx, placer.ServiceLaunch{Term: term, Service: svc, Deployment: svc.Deployment, Count: 1})
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	events := apitest.Must[*sdk.DescribeServicesOutput](t)(a.Client.DescribeServices(ctx, &sdk.DescribeServicesInput{Cluster: aws.String("c"), Services: []string{"web"}})).Services[0].Events
	if len(events) == 0 {
		t.Fatal("no event")
	}
	lacksWords(t, "the event", *events[0].Message, append(toldOfFive, "is missing an attribute required by your task."))
	for e := range a.Store.Snapshot().ServiceEvents("c", "web") {
		if e.Name == "SERVICE_TASK_PLACEMENT_FAILURE" && e.Reason != "ATTRIBUTE" {
			t.Errorf("EventBridge's reason is %q", e.Reason)
		}
	}
}

// What two servers let wait at once stays within the quota. Without Unchanged in
// queue it does not (seen).
func TestWaitingQuotaOfTwoServers(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	waiter(t, a, 1)
	for range 498 {
		id := fleet.NewID()
		apitest.Write(t, a, store.WaitingTaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Family: "sleep", Revision: 1})
	}
	s := placer.New(placer.Config{Store: a.Store})
	one := func(tx *store.Tx) error {
		_, err := placer.RunTx(s, tx, apitest.RunOn(1))
		return err
	}
	err := apitest.Between(t, a.Store, one, func() {
		if err := a.Store.Update(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	})
	if n := a.Store.Snapshot().Counts("c").Waiting; n != 500 || err == nil {
		t.Errorf("%d tasks wait (%v)", n, err)
	}
}

// More tasks than a transaction holds are launched as far as it holds them, with room
// left for callers, and the others in the next ones.
func TestLaunchTakesWhatFits(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "sleep", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].Cpu, in.ContainerDefinitions[0].Memory = 1, aws.Int32(4)
	})
	for _, host := range []string{"h1", "h2", "h3"} {
		a.Register(host, "c")
	}
	const want = 100
	apitest.CreateService(t, a, "web", want)
	p := placer.New(placer.Config{Store: a.Store})
	lead(t, a.Store, func(term *store.Term) {
		done, transactions := 0, 0
		for done < want {
			var out placer.Launched
			var share float64
			err := a.Store.Update(t.Context(), func(tx *store.Tx) (err error) {
				svc := tx.Snapshot().Service("c", "web")
				out, err = placer.LaunchTx(p, tx, placer.ServiceLaunch{Term: term, Service: svc, Deployment: svc.Deployment, After: int64(done), Count: want - done})
				share = tx.Share()
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if out.Tasks == 0 || out.Missing != 0 || out.Tasks+out.Left != want-done || share > 0.75 || out.Left > 0 && share < 0.6 {
				t.Fatalf("of %d: %+v, %v of a transaction", want-done, out, share)
			}
			done += out.Tasks
			transactions++
		}
		if n := a.Store.Snapshot().Counts("c").Pending; n != want || transactions < 2 {
			t.Errorf("%d tasks after %d transactions", n, transactions)
		}
	})
}
