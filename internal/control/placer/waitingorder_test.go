package placer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func arnsOf(tasks []types.Task) []string {
	var out []string
	for i := range tasks {
		out = append(out, *tasks[i].TaskArn)
	}
	return out
}

// What has no room waits, seen and stoppable like any task, and gets a host as
// soon as one has room.
func TestTasksWaitForRoom(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	a.Register("elsewhere", "c")
	in := apitest.RunOn(5)
	in.StartedBy = aws.String("me")
	run := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in))
	if len(run.Tasks) != 5 || len(run.Failures) != 0 {
		t.Fatalf("%d tasks, failures %v", len(run.Tasks), run.Failures)
	}
	for _, x := range run.Tasks {
		if *x.LastStatus != "PROVISIONING" || *x.DesiredStatus != "RUNNING" || x.ContainerInstanceArn != nil || *x.CapacityProviderName != "p" || len(x.Containers) != 0 || x.Containers == nil || len(x.Overrides.ContainerOverrides) != 0 {
			t.Errorf("%+v", x)
		}
	}
	arns := arnsOf(run.Tasks)
	if again := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, in)); !slices.Equal(arnsOf(again.Tasks), arns) {
		t.Errorf("the token again: %v, want %v", arnsOf(again.Tasks), arns)
	}
	for i, f := range []sdk.ListTasksInput{{}, {Family: aws.String("sleep")}, {StartedBy: aws.String("me")}, {LaunchType: types.LaunchTypeEc2}} {
		f.Cluster, f.MaxResults = aws.String("c"), aws.Int32(2)
		var listed []string
		for p := sdk.NewListTasksPaginator(c, &f); p.HasMorePages(); {
			page := apitest.Must[*sdk.ListTasksOutput](t)(p.NextPage(ctx))
			listed = append(listed, page.TaskArns...)
		}
		slices.Sort(listed)
		if want := slices.Sorted(slices.Values(arns)); !slices.Equal(listed, want) {
			t.Errorf("listing %d: %v, want %v", i, listed, want)
		}
	}
	if d := apitest.Must[*sdk.DescribeClustersOutput](t)(c.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"c"}})).Clusters[0]; d.PendingTasksCount != 5 {
		t.Errorf("%d pending", d.PendingTasksCount)
	}
	_, err := c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")})
	apitest.WantError[*types.ClusterContainsTasksException](t, err, "while Tasks are active")

	stopped := apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: &arns[0], Reason: aws.String("enough")})).Task
	if *stopped.LastStatus != "STOPPED" || *stopped.DesiredStatus != "STOPPED" || *stopped.StoppedReason != "enough" || stopped.StopCode != types.TaskStopCodeUserInitiated ||
		stopped.StoppedAt == nil || stopped.ContainerInstanceArn != nil || *stopped.Containers[0].LastStatus != "STOPPED" {
		t.Errorf("stopped: %+v", stopped)
	}
	apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: &arns[0]}))

	// Two fit on the first host, the rest on the second.
	first, host := a.Register("h1", "c", apitest.Member("p"))
	apitest.Until(t, a.Store, "two tasks have a host", func(s *store.Snapshot) bool { return s.Counts("c").Waiting == 2 })
	second, _ := a.Register("h2", "c", apitest.Member("p"))
	apitest.Until(t, a.Store, "all tasks have a host", func(s *store.Snapshot) bool { return s.Counts("c").Waiting == 0 })
	d := apitest.Must[*sdk.DescribeTasksOutput](t)(c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: arns[1:]}))
	if n := apitest.On(d.Tasks); n[first] != 2 || n[second] != 2 || *d.Tasks[0].LastStatus != "PENDING" || len(d.Tasks[0].Containers) != 1 || len(d.Tasks[0].Overrides.ContainerOverrides) != 1 {
		t.Errorf("on %v: %+v", n, d.Failures)
	}

	// The end of a task makes room, and so does nothing else.
	later := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, apitest.RunOn(1))).Tasks[0]
	if *later.LastStatus != "PROVISIONING" {
		t.Fatalf("placed where there is no room: %+v", later)
	}
	ended := d.Tasks[slices.IndexFunc(d.Tasks, func(x types.Task) bool { return *x.ContainerInstanceArn == first })]
	apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: ended.TaskArn, Status: aws.String("STOPPED")}))
	snap := apitest.Until(t, a.Store, "the task has a host", func(s *store.Snapshot) bool { return s.Counts("c").Waiting == 0 })
	if got := snap.Task("c", apitest.ID(*later.TaskArn)); got == nil || !strings.HasSuffix(first, got.Instance) || got.Constraints != nil {
		t.Errorf("placed: %+v", got)
	}
}

// A host whose container engine is away takes nothing until it is back.
func TestTasksWaitForAnEngine(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	host, _ := a.Register("h1", "c", apitest.Member("p"))
	apitest.EngineIs(t, a, host, types.InstanceHealthCheckStateImpaired)
	if x := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, apitest.RunOn(1))).Tasks[0]; *x.LastStatus != "PROVISIONING" {
		t.Fatalf("placed on a host without engine: %+v", x)
	}
	apitest.EngineIs(t, a, host, types.InstanceHealthCheckStateOk)
	apitest.Until(t, a.Store, "the task has a host", func(s *store.Snapshot) bool { return s.Counts("c").Waiting == 0 })
}

// No more than 500 tasks of a cluster wait, and what is refused takes nothing.
func TestWaitingQuota(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	for range 50 {
		apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(t.Context(), apitest.RunOn(10)))
	}
	_, err := a.Client.RunTask(t.Context(), apitest.RunOn(1))
	apitest.WantError[*types.ClientException](t, err, "quota of 500 tasks in the PROVISIONING state")
	if n := a.Store.Snapshot().Counts("c"); n.Waiting != 500 || n.Pending != 500 {
		t.Errorf("%+v", n)
	}
}

// waiter stores tasks that wait in cluster c of an API that places nothing by
// itself, and returns their ids.
func waiter(t *testing.T, a *apitest.API, n int32) []string {
	t.Helper()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	s := placer.New(placer.Config{Store: a.Store})
	if err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := placer.RunTx(s, tx, apitest.RunOn(n))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for w := range a.Store.Snapshot().WaitingTasks("c", "") {
		ids = append(ids, w.ID)
	}
	if len(ids) != int(n) {
		t.Fatalf("%d tasks wait", len(ids))
	}
	return ids
}

// lead calls f as the leader.
func lead(t *testing.T, st *store.Store, f func(*store.Term)) {
	t.Helper()
	if err := st.Lead(t.Context(), "provisioner", "test", func(_ context.Context, term *store.Term) error { f(term); return nil }); err != nil {
		t.Fatal(err)
	}
}

// A task that waits gets one host, also where two servers give it one at once.
// Without the comparisons of the records that wait and of the task it is given
// to both hosts (seen).
func TestWaitingTaskIsPlacedOnce(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	ids := waiter(t, a, 1)
	one, _ := a.Register("h1", "c", apitest.Member("p"))
	var two string
	other := a.Another()
	lead(t, a.Store, func(term *store.Term) {
		var mine, theirs []string
		err := apitest.Between(t, a.Store, func(tx *store.Tx) (err error) {
			mine, err = placer.PlaceWaitingTx(placer.New(placer.Config{Store: a.Store}), tx, term, "c", ids...)
			return err
		}, func() {
			a.Connect(one, false) // leaves the second host to choose
			two, _ = a.Register("h2", "c", apitest.Member("p"))
			if _, err := other.Fresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := other.Update(t.Context(), func(tx *store.Tx) (err error) {
				theirs, err = placer.PlaceWaitingTx(placer.New(placer.Config{Store: other}), tx, term, "c", ids...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		got := a.Store.Snapshot().Task("c", ids[0])
		if len(theirs) != 1 || len(mine) != 0 || got == nil || got.Instance != apitest.ID(two) {
			t.Errorf("one server placed %v, then the other %v: the task is on %+v, after it was on %s", theirs, mine, got.Task, two)
		}
	})
}

// A task that waits is placed by the strategies that it was asked for with.
func TestWaitingTasksKeepTheirStrategies(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	wait := func(count int32, group string, strategies ...types.PlacementStrategy) []string {
		t.Helper()
		in := apitest.RunOn(count)
		in.TaskDefinition, in.Group, in.PlacementStrategy = aws.String("f"), &group, strategies
		err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
			_, err := placer.RunTx(placer.New(placer.Config{Store: a.Store}), tx, in)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for w := range a.Store.Snapshot().WaitingTasks("c", "") {
			if w.Group == group {
				ids = append(ids, w.ID)
			}
		}
		if len(ids) != int(count) {
			t.Fatalf("%d tasks wait", len(ids))
		}
		return ids
	}
	packed, even := wait(6, "packed", packMemory), wait(6, "even", spreadHost)
	if s := a.Store.Snapshot(); s.WaitingTask("c", packed[0]).Queued >= s.WaitingTask("c", even[0]).Queued {
		t.Error("who came later does not wait behind")
	}
	for _, name := range []string{"h1", "h2", "h3"} {
		a.Register(name, "c", apitest.Member("p"))
	}
	byHost := func(ids []string) (n []int) {
		t.Helper()
		hosts := map[string]int{}
		lead(t, a.Store, func(term *store.Term) {
			err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
				_, err := placer.PlaceWaitingTx(placer.New(placer.Config{Store: a.Store}), tx, term, "c", ids...)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		for _, id := range ids {
			task := a.Store.Snapshot().Task("c", id)
			if task == nil {
				t.Fatalf("%s still waits", id)
			}
			hosts[task.Instance]++
		}
		return slices.Sorted(maps.Values(hosts))
	}
	if got := byHost(packed); !slices.Equal(got, []int{6}) {
		t.Errorf("packed: %v", got)
	}
	if got := byHost(even); !slices.Equal(got, []int{2, 2, 2}) {
		t.Errorf("spread: %v", got)
	}
}

// A task that is stopped while a host is chosen for it gets none.
func TestStopTaskRacesPlacing(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	ids := waiter(t, a, 1)
	a.Register("h1", "c", apitest.Member("p"))
	lead(t, a.Store, func(term *store.Term) {
		var placed []string
		err := apitest.Between(t, a.Store, func(tx *store.Tx) (err error) {
			placed, err = placer.PlaceWaitingTx(placer.New(placer.Config{Store: a.Store}), tx, term, "c", ids...)
			return err
		}, func() {
			apitest.Must[*sdk.StopTaskOutput](t)(a.Client.StopTask(t.Context(), &sdk.StopTaskInput{Cluster: aws.String("c"), Task: &ids[0]}))
		})
		if got := a.Store.Snapshot().Task("c", ids[0]); err != nil || len(placed) != 0 || got.Status() != fleet.TaskStopped || got.Instance != "" {
			t.Errorf("err %v, placed %v: %+v", err, placed, got)
		}
	})
}

// A leader that was deposed places nothing. Without the guard of its term it
// does (seen).
func TestDeposedLeaderPlacesNothing(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	ids := waiter(t, a, 1)
	a.Register("h1", "c", apitest.Member("p"))
	var old *store.Term
	lead(t, a.Store, func(term *store.Term) { old = term })
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := placer.PlaceWaitingTx(placer.New(placer.Config{Store: a.Store}), tx, old, "c", ids...)
		return err
	})
	if !errors.Is(err, store.ErrDeposed) || a.Store.Snapshot().Task("c", ids[0]) != nil {
		t.Errorf("err %v, the task is %+v", err, a.Store.Snapshot().Task("c", ids[0]))
	}
}

// Several servers, one of which ends midway: everything that waits gets a host
// once, and none is given away twice.
func TestServersShareWhatWaits(t *testing.T) {
	const hosts, tasks = 10, 20
	a := apitest.Start(t, apitest.Still)
	waiter(t, a, 10)
	stores := []*store.Store{a.Another(), a.Another()}
	var ends []context.CancelFunc
	var wg sync.WaitGroup
	var placers []*placer.Placer
	for i, st := range stores {
		ctx, cancel := context.WithCancel(context.Background())
		ends = append(ends, cancel)
		s := placer.New(placer.Config{Store: st, Log: a.Log, Server: fmt.Sprint("server-", i)})
		placers = append(placers, s)
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer wg.Wait()
	defer func() {
		for _, end := range ends {
			end()
		}
	}()
	if out, err := runTask(t.Context(), placers[1], apitest.RunOn(10)); err != nil || len(out.Tasks) != 10 {
		t.Fatalf("%+v, %v", out, err)
	}
	for i := range hosts {
		a.Register(fmt.Sprint("h", i), "c", apitest.Member("p"))
		if i == hosts/2 { // end the server that leads
			e := apitest.Until(t, a.Store, "someone leads", func(s *store.Snapshot) bool { return s.Election("provisioner") != nil }).Election("provisioner")
			ends[map[string]int{"server-0": 0, "server-1": 1}[e.Server]]()
		}
	}
	snap := apitest.Until(t, a.Store, "nothing waits", func(s *store.Snapshot) bool { return s.Counts("c").Waiting == 0 })
	if n := snap.Counts("c"); n.Pending != tasks {
		t.Errorf("%+v", n)
	}
	for i := range snap.Instances("c", "") {
		if u := snap.Usage("c", i.ID); u == nil || u.CPU != i.Registered.CPU {
			t.Errorf("instance %s: %+v", i.ID, u)
		}
	}
}

// A task that waited when the restored backup was made may have run since. It gets no
// host before an operator has declared that the state holds.
func TestWaitingTaskOfABackup(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	apitest.Provider(t, a, "p", types.ManagedScalingStatusEnabled)
	old := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, apitest.RunOn(1))).Tasks[0]
	restored := func(f func(*store.Tx) error) {
		t.Helper()
		err := a.Store.Update(ctx, func(tx *store.Tx) error {
			store.Get(tx, store.RestoredKey())
			return f(tx)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	restored(func(tx *store.Tx) error {
		return store.Put(tx, store.RestoredKey(), &fleet.Restored{At: time.Now()})
	})
	young := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, apitest.RunOn(1))).Tasks[0]
	a.Register("h1", "c", apitest.Member("p")) // has room for two
	apitest.Until(t, a.Store, "the younger one has a host", func(s *store.Snapshot) bool { return s.WaitingTask("c", apitest.ID(*young.TaskArn)) == nil })
	if a.Store.Snapshot().WaitingTask("c", apitest.ID(*old.TaskArn)) == nil {
		t.Error("what may have run since the backup has a host")
	}
	restored(func(tx *store.Tx) error { return store.Delete(tx, store.RestoredKey()) })
	apitest.Until(t, a.Store, "the older one has a host", func(s *store.Snapshot) bool { return s.Counts("c").Waiting == 0 })
}
