package ashore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
)

// A watched is what a client has of rows.
type watched struct {
	mu       sync.Mutex
	rows     map[client.RowKey]json.RawMessage // guarded by mu
	revision int64                             // guarded by mu
	updates  int                               // guarded by mu
	moved    chan struct{}                     // closed at each update
	done     chan error
	stop     context.CancelFunc
}

// follow watches as a client does until the test ends.
func follow(t *testing.T, c *client.Client, sel ...client.WatchSelect) *watched {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &watched{rows: map[client.RowKey]json.RawMessage{}, moved: make(chan struct{}), done: make(chan error, 1), stop: stop}
	go func() {
		w.done <- c.Watch(ctx, sel, func(u client.WatchUpdate) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			for k, v := range u.Rows {
				if v == nil {
					delete(w.rows, k)
				} else {
					w.rows[k] = v
				}
			}
			w.revision = u.Revision
			w.updates++
			close(w.moved)
			w.moved = make(chan struct{})
			return nil
		}, func(err error) { t.Logf("the stream ended: %v", err) })
	}()
	return w
}

// until waits until the rows are as ok wants them.
func (w *watched) until(t *testing.T, what string, ok func(rows map[client.RowKey]json.RawMessage) bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		w.mu.Lock()
		is, moved := w.updates > 0 && ok(w.rows), w.moved
		w.mu.Unlock()
		if is {
			return
		}
		select {
		case <-moved:
		case err := <-w.done:
			t.Fatalf("until %s: the watch ended: %v", what, err)
		case <-late:
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Fatalf("not %s after a minute, at %d, with %d rows", what, w.revision, len(w.rows))
		}
	}
}

func (w *watched) end(t *testing.T) {
	t.Helper()
	w.stop()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func deniedWatch(t *testing.T, c *client.Client, code string, sel ...client.WatchSelect) {
	t.Helper()
	err := c.Watch(t.Context(), sel, func(client.WatchUpdate) error { return errors.New("it was told something") }, func(err error) { t.Error(err) })
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("%v: got %v, want %s", sel, err, code)
	}
}

// TestWatch follows rows over the wire while things happen at random, to what Describe
// says of them in the end.
func TestWatch(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	a := apitest.Start(t, apitest.Still)
	ctx := t.Context()
	admin, err := identity.EnsureAdmin(ctx, a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	c := clientOf(t, a, admin)
	apitest.CreateCluster(t, a, "c")
	apitest.CreateCluster(t, a, "d")
	apitest.RegisterSleep(t, a)
	all := follow(t, c, client.WatchSelect{Kind: "task"}, client.WatchSelect{Kind: "service"}, client.WatchSelect{Kind: "instance"}, client.WatchSelect{Kind: "cluster"})
	one := follow(t, c, client.WatchSelect{Kind: "task", Where: map[string]string{"cluster": "c", "service": "web"}})
	hosts := map[string]string{}
	for i := range 3 {
		arn, _ := a.Register(fmt.Sprintf("h%d", i), "c")
		hosts[apitest.ID(arn)] = arn
	}
	apitest.CreateService(t, a, "web", 2)
	apitest.CreateService(t, a, "api", 1)
	if _, err := a.Client.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("c"), ServiceName: aws.String("each"), TaskDefinition: aws.String("sleep"), SchedulingStrategy: types.SchedulingStrategyDaemon}); err != nil {
		t.Fatal(err)
	}
	ids := slices.Sorted(maps.Keys(hosts))
	for range 150 {
		happen(t, r, a, ids, hosts, r.IntN(kinds))
	}
	var differ string
	defer func() {
		if differ != "" {
			t.Logf("last difference: %s", differ)
		}
	}()
	for _, host := range ids {
		a.Connect(hosts[host], true)
	}
	// Then each kind of change by itself, so that no other one tells what it does.
	for what := range kinds {
		happen(t, r, a, ids, hosts, what)
		want := described(t, a)
		if len(want) < 20 {
			t.Errorf("%d rows show little", len(want))
		}
		all.until(t, fmt.Sprintf("as Describe has it after change %d", what), func(rows map[client.RowKey]json.RawMessage) bool {
			differ = difference(t, rows, want)
			return differ == ""
		})
		maps.DeleteFunc(want, func(_ client.RowKey, v any) bool {
			task, ok := v.(*types.Task)
			return !ok || aws.ToString(task.Group) != "service:web"
		})
		one.until(t, "the tasks of the service", func(rows map[client.RowKey]json.RawMessage) bool {
			differ = difference(t, rows, want)
			return differ == ""
		})
	}
	all.end(t)
	one.end(t)
}

// described is what Describe answers of clusters c and d and of what is in c.
func described(t *testing.T, a *apitest.API) map[client.RowKey]any {
	t.Helper()
	ctx := t.Context()
	snap := a.Store.Snapshot()
	want := map[client.RowKey]any{}
	var tasks, services, instances []string
	for task := range snap.Tasks("c", "") {
		tasks = append(tasks, task.ID)
	}
	for w := range snap.WaitingTasks("c", "") {
		tasks = append(tasks, w.ID)
	}
	for svc := range snap.Services("c", "") {
		services = append(services, svc.Name)
	}
	for i := range snap.Instances("c", "") {
		instances = append(instances, i.ID)
	}
	if len(tasks) > 0 {
		for some := range slices.Chunk(tasks, 100) {
			out := apitest.Must[*ecs.DescribeTasksOutput](t)(a.Client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("c"), Tasks: some, Include: []types.TaskField{types.TaskFieldTags}}))
			for i := range out.Tasks {
				want[client.RowKey{Kind: "task", Key: "c/" + apitest.ID(*out.Tasks[i].TaskArn)}] = &out.Tasks[i]
			}
		}
	}
	svc := apitest.Must[*ecs.DescribeServicesOutput](t)(a.Client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("c"), Services: services, Include: []types.ServiceField{types.ServiceFieldTags}}))
	for i := range svc.Services {
		svc.Services[i].Events = []types.ServiceEvent{} // StreamEvents tells of these
		want[client.RowKey{Kind: "service", Key: "c/" + *svc.Services[i].ServiceName}] = &svc.Services[i]
	}
	ins := apitest.Must[*ecs.DescribeContainerInstancesOutput](t)(a.Client.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{Cluster: aws.String("c"), ContainerInstances: instances,
		Include: []types.ContainerInstanceField{types.ContainerInstanceFieldTags, types.ContainerInstanceFieldContainerInstanceHealth}}))
	for i := range ins.ContainerInstances {
		want[client.RowKey{Kind: "instance", Key: "c/" + apitest.ID(*ins.ContainerInstances[i].ContainerInstanceArn)}] = &ins.ContainerInstances[i]
	}
	clusters := apitest.Must[*ecs.DescribeClustersOutput](t)(a.Client.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{"c", "d"},
		Include: []types.ClusterField{types.ClusterFieldAttachments, types.ClusterFieldConfigurations, types.ClusterFieldSettings, types.ClusterFieldStatistics, types.ClusterFieldTags}}))
	for i := range clusters.Clusters {
		want[client.RowKey{Kind: "cluster", Key: *clusters.Clusters[i].ClusterName}] = &clusters.Clusters[i]
	}
	return want
}

// difference is the first one between rows and what Describe answers, "" for none.
func difference(t *testing.T, rows map[client.RowKey]json.RawMessage, want map[client.RowKey]any) string {
	t.Helper()
	for k := range rows {
		if want[k] == nil {
			return fmt.Sprintf("%v is told", k)
		}
	}
	for k, v := range want {
		if rows[k] == nil {
			return fmt.Sprintf("%v is missing", k)
		}
		got := reflect.New(reflect.TypeOf(v).Elem()).Interface()
		if err := awsjson.Unmarshal(rows[k], got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(text(t, v), text(t, got)); d != "" {
			return fmt.Sprintf("%v (- Describe + told):\n%s", k, d)
		}
	}
	return ""
}

// kinds is how many kinds of things happen does.
const kinds = 12

// happen has one thing happen to cluster c, of a kind from 0 on.
func happen(t *testing.T, r *rand.Rand, a *apitest.API, hosts []string, arns map[string]string, what int) {
	t.Helper()
	snap := a.Store.Snapshot()
	var tasks []string
	for task := range snap.Tasks("c", "") {
		tasks = append(tasks, task.ID)
	}
	host := hosts[r.IntN(len(hosts))]
	if len(tasks) == 0 {
		what = 0
	}
	id := fleet.NewID()
	task := ""
	if len(tasks) > 0 {
		task = tasks[r.IntN(len(tasks))]
	}
	var err error
	switch what {
	case 0, 1, 2:
		group := []string{"service:web", "service:api", "family:sleep"}[r.IntN(3)]
		apitest.Write(t, a, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: host, Family: "sleep", Revision: 1, Group: group, StartedBy: "someone", LaunchType: types.LaunchTypeExternal,
			CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Containers: []fleet.TaskContainer{{Name: "c", ID: fleet.NewID()}}, Reserve: fleet.Reservation{CPU: 10, Memory: 10}})
	case 3:
		apitest.Write(t, a, store.WaitingTaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Family: "sleep", Revision: 1, Group: "service:web", CapacityProvider: "p", CreatedAt: time.Now().UTC().Truncate(time.Millisecond)})
	case 4, 5:
		status := []fleet.TaskStatus{fleet.TaskRunning, fleet.TaskStopped}[r.IntN(2)]
		apitest.Write(t, a, store.TaskReportKey("c", task), &fleet.TaskReport{Status: status, Version: r.Int64N(9), Containers: []fleet.ContainerReport{{Name: "c", Status: status,
			NetworkBindings: []types.NetworkBinding{{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(80), HostPort: aws.Int32(32768 + r.Int32N(99)), Protocol: types.TransportProtocolTcp}}}}})
	case 6:
		_, err = a.Client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: aws.String(apitest.Site.TaskARN("c", task)), Tags: []types.Tag{{Key: aws.String("n"), Value: aws.String(id)}}})
	case 7:
		a.Connect(arns[host], r.IntN(2) == 0)
	case 8:
		_, err = a.Client.PutAttributes(t.Context(), &ecs.PutAttributesInput{Cluster: aws.String("c"), Attributes: []types.Attribute{{Name: aws.String("n"), Value: aws.String(id), TargetId: aws.String(arns[host])}}})
	case 9:
		_, err = a.Client.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("web"), DesiredCount: aws.Int32(r.Int32N(9))})
	case 10:
		for _, other := range hosts { // of the others it is not shown
			if snap.Session("c", other) != nil {
				host = other
			}
		}
		status := []types.InstanceHealthCheckState{types.InstanceHealthCheckStateOk, types.InstanceHealthCheckStateImpaired}[r.IntN(2)]
		now := time.Now().UTC().Truncate(time.Millisecond)
		apitest.Write(t, a, store.InstanceHealthKey("c", host), &fleet.InstanceHealth{Checks: []fleet.HealthCheck{{Type: types.InstanceHealthCheckTypeContainerRuntime, Status: status, ChangedAt: now, WrittenAt: now}}})
	case 11:
		_, err = a.Client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: aws.String(apitest.Site.ClusterARN("c")), Tags: []types.Tag{{Key: aws.String("n"), Value: aws.String(id)}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Who may not, and what is wrong, is refused; a key that ends takes its watch along.
func TestWatchRefused(t *testing.T) {
	a := apitest.Start(t, apitest.Still)
	ctx := t.Context()
	admin, err := identity.EnsureAdmin(ctx, a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	c := clientOf(t, a, admin)
	task := client.WatchSelect{Kind: "task"}
	where := func(kind string, names ...string) client.WatchSelect {
		s := client.WatchSelect{Kind: kind, Where: map[string]string{}}
		for i := 0; i < len(names); i += 2 {
			s.Where[names[i]] = names[i+1]
		}
		return s
	}
	deniedWatch(t, c, "InvalidParameterException")
	deniedWatch(t, c, "InvalidParameterException", where("nothing"))
	deniedWatch(t, c, "InvalidParameterException", where("task", "colour", "red"))
	deniedWatch(t, c, "InvalidParameterException", where("instance", "service", "web"))
	deniedWatch(t, c, "InvalidParameterException", where("task", "cluster", "arn:aws:ecs:eu-west-1:000000000000:cluster/c"))
	deniedWatch(t, c, "InvalidParameterException", slices.Repeat([]client.WatchSelect{task}, 33)...)
	h, err := identity.CreateHost(ctx, a.Store, a.Sealer, "web-2")
	if err != nil {
		t.Fatal(err)
	}
	deniedWatch(t, clientOf(t, a, h), "AccessDeniedException", task)
	large := where("task", "cluster", strings.Repeat("c", 64<<10))
	err = c.Watch(ctx, []client.WatchSelect{large}, func(client.WatchUpdate) error { return nil }, func(err error) { t.Error(err) })
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code == "InvalidParameterException" {
		t.Errorf("64 KiB of input: %v", err)
	}

	// Another administrator's key, which is deleted.
	key := store.AccessKeyKey("AKIASECONDADMINISTRA")
	sealed, err := a.Sealer.Seal([]byte("secret"), "AKIASECONDADMINISTRA")
	if err != nil {
		t.Fatal(err)
	}
	apitest.Write(t, a, key, &fleet.AccessKey{ID: "AKIASECONDADMINISTRA", SealedSecret: sealed, Kind: fleet.PrincipalAdmin, Principal: admin.PrincipalARN})
	w := follow(t, clientOf(t, a, identity.Credentials{AccessKeyID: "AKIASECONDADMINISTRA", SecretAccessKey: "secret"}), client.WatchSelect{Kind: "cluster"})
	w.until(t, "told", func(map[client.RowKey]json.RawMessage) bool { return true })
	err = a.Store.Update(ctx, func(tx *store.Tx) error { store.Get(tx, key); return store.Delete(tx, key) })
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-w.done:
		if !errors.As(err, &refused) || refused.Code != "UnrecognizedClientException" {
			t.Errorf("the watch ended by %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the watch goes on")
	}
	w.stop()
}

// text is a structure as it is answered, a member a line.
func text(t *testing.T, v any) string {
	t.Helper()
	b, err := awsjson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), ",", ",\n")
}
