package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// witness follows the state like another server. It fails the test if at any revision
// fewer than least tasks of the service run.
func (w *world) witness(service string, least int) (stop func()) {
	w.t.Helper()
	client, err := store.Connect(w.t.Context(), store.ConnectConfig{Endpoints: []string{w.etcd.Endpoint()}, Log: w.log})
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := store.Open(w.t.Context(), client, store.Config{})
	if err != nil {
		w.t.Fatal(errors.Join(err, client.Close()))
	}
	_, feed := st.Follow()
	done, seen := make(chan struct{}), 0
	go func() {
		defer close(done)
		for {
			a, err := feed.Next(w.t.Context())
			if err != nil {
				return
			}
			seen++
			n := 0
			for t := range a.Next.TasksWhere(cluster, store.TaskFilter{Desired: fleet.TaskRunning, Service: service}, "") {
				if t.Status() == fleet.TaskRunning {
					n++
				}
			}
			if n < least {
				w.t.Errorf("at revision %d only %d tasks of %s run, not %d", a.Next.Revision(), n, service, least)
				return
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		err := errors.Join(st.Close(), client.Close())
		<-done
		if err != nil {
			w.t.Error(err)
		}
		w.t.Logf("%s was looked at %d times", service, seen)
	})
	w.t.Cleanup(stop)
	return stop
}

func percents(minimum, maximum int32) func(*ecs.CreateServiceInput) {
	return func(in *ecs.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: &minimum, MaximumPercent: &maximum}
	}
}

// Servers restart during rollouts. At no revision fewer tasks run than wanted, and no task
// is started twice.
func TestRollingUpdateKeepsTheMinimum(t *testing.T) {
	n := size{servers: 2, hosts: 6, cpus: 4, memory: 4000, journal: true, faults: Faults{Create: 20e6, Start: 20e6, Stop: 20e6}}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	w.createService("s", "f", 30, percents(100, 150))
	w.steady("s")
	w.witness("s", 30)
	for i := range 2 {
		w.family("f", need{cpu: 16, memory: 16})
		w.update("s", revision(i+2))
		w.waitService("s", "the rollout is under way", hasBegun(i+2))
		if err := w.servers[i].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.steady("s")
	}
	w.eventually("only the new ones run", func() bool { return w.containers() == 30 })
	w.startedOnce(90)
}

// One host and one port: with a minimum of 100 the old task stays, and an event names the
// task that uses the port. With 0 the old task is stopped first.
func TestFixedPortOnOneHost(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 1, cpus: 4, memory: 4000})
	w.family("f", need{cpu: 16, memory: 16, port: 8080})
	w.createService("s", "f", 1)
	w.steady("s")
	holder := w.tasksOf("s")[0]
	id := (*holder.TaskArn)[strings.LastIndex(*holder.TaskArn, "/")+1:]
	w.family("f", need{cpu: 16, memory: 16, port: 8080})
	w.update("s", revision(2))
	s := w.waitService("s", "an event names the port's holder", func(s *types.Service) bool {
		return told(s, "(service s) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance ") &&
			told(s, "is already using a port required by your task. Host port 8080/tcp is held by task "+id)
	})
	if s.RunningCount != 1 || len(s.Deployments) != 2 {
		t.Errorf("the old task did not stay:\n%s", story(&s))
	}
	w.update("s", func(in *ecs.UpdateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(0), MaximumPercent: aws.Int32(200)}
	})
	s = w.steady("s")
	if !strings.HasSuffix(*s.Deployments[0].TaskDefinition, "f:2") {
		t.Errorf("not rolled:\n%s", story(&s))
	}
	w.startedOnce(2)
}

// An image that does not exist: the circuit breaker trips at ECS's threshold and rolls
// back to the last revision.
func TestBrokenImageIsRolledBack(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 3, cpus: 4, memory: 4000})
	for _, h := range w.hosts {
		h.Machine().Set(func(c *fake.Config) { c.Images = map[string]runtime.Image{"sim": {ID: "sha256:sim"}} })
	}
	w.family("f", need{cpu: 16, memory: 16})
	w.createService("s", "f", 4, func(in *ecs.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	})
	w.steady("s")
	w.witness("s", 4)
	w.family("f", need{cpu: 16, memory: 16, image: "gone"})
	w.update("s", revision(2))
	s := w.waitService("s", "it is rolled back", func(s *types.Service) bool {
		return told(s, "rolling back to deployment ecs-svc/") && isSteady(s) && strings.HasSuffix(*s.Deployments[0].TaskDefinition, "f:1")
	})
	for _, text := range []string{"deployment failed: tasks failed to start.", "deployment completed."} {
		if !told(&s, text) {
			t.Errorf("no event says %q:\n%s", text, story(&s))
		}
	}
	if got := w.containers(); got != 4 {
		t.Errorf("%d containers run", got)
	}
}

// Tasks leave a host that is drained or deregistered by force, and are placed on hosts
// with room.
func TestDrainedAndDeregisteredHosts(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 4, cpus: 4, memory: 4000})
	w.family("f", need{cpu: 16, memory: 16})
	w.createService("s", "f", 12)
	w.steady("s")
	stop := w.witness("s", 12)
	on := func(arn string) (n int) {
		for _, task := range w.tasksOf("s") {
			if aws.ToString(task.ContainerInstanceArn) == arn && aws.ToString(task.DesiredStatus) == "RUNNING" {
				n++
			}
		}
		return n
	}
	least := func() string { // the ACTIVE host with the fewest tasks, at least one
		best, few := "", 99
		for _, i := range w.instances(0) {
			if n := on(*i.ContainerInstanceArn); aws.ToString(i.Status) == "ACTIVE" && n > 0 && n < few {
				best, few = *i.ContainerInstanceArn, n
			}
		}
		return best
	}
	drained := least()
	if _, err := w.ecs(0).UpdateContainerInstancesState(t.Context(), &ecs.UpdateContainerInstancesStateInput{
		Cluster: aws.String(cluster), ContainerInstances: []string{drained}, Status: types.ContainerInstanceStatusDraining,
	}); err != nil {
		t.Fatal(err)
	}
	w.waitService("s", "the host is empty", func(s *types.Service) bool { return isSteady(s) && on(drained) == 0 })
	stop() // tasks of a host that is deregistered by force stop at once
	w.createService("t", "f", 1)
	w.steady("t")
	gone := aws.ToString(w.tasksOf("t")[0].ContainerInstanceArn)
	if _, err := w.ecs(0).DeregisterContainerInstance(t.Context(), &ecs.DeregisterContainerInstanceInput{
		Cluster: aws.String(cluster), ContainerInstance: &gone, Force: aws.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
	w.waitService("t", "it runs elsewhere", func(s *types.Service) bool {
		tasks := w.tasksOf("t")
		return isSteady(s) && len(tasks) == 1 && aws.ToString(tasks[0].ContainerInstanceArn) != gone
	})
}

// A host out of contact keeps its tasks, unless the service wants them replaced. When it
// returns, its old tasks end.
func TestLostHost(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 4, cpus: 4, memory: 4000, journal: true})
	w.family("f", need{cpu: 16, memory: 16})
	w.createService("keeps", "f", 8)
	w.createService("moves", "f", 8, func(in *ecs.CreateServiceInput) { in.Tags = append(in.Tags, setting("replace-lost-after", "1")) })
	w.steady("keeps")
	w.steady("moves")
	w.witness("moves", 4)
	before := map[string]bool{}
	for _, task := range w.tasksOf("keeps") {
		before[*task.TaskArn] = true
	}
	lost := w.hosts[0]
	here := lost.Machine().Running()
	if here != 4 {
		t.Errorf("%d containers run on the first host, not 2 of each service", here)
	}
	if err := lost.Stop(); err != nil {
		t.Fatal(err)
	}
	moved := 0
	w.waitService("moves", "its tasks run elsewhere", func(s *types.Service) bool {
		moved = 0
		for _, h := range w.hosts[1:] {
			moved += h.Machine().Running()
		}
		return isSteady(s) && told(s, "has started") && moved > 16-here
	})
	if n := lost.Machine().Running(); n != here {
		t.Errorf("%d containers run on the lost host, not %d", n, here)
	}
	lost.Start()
	w.eventually("the surplus has ended", func() bool { return w.containers() == 16 })
	for _, task := range w.tasksOf("keeps") {
		if !before[*task.TaskArn] {
			t.Errorf("%s was launched although a lost host keeps its tasks", *task.TaskArn)
		}
	}
	w.steady("moves")
	w.startedOnce(16 + moved - (16 - here))
}

// There is room for one task, and two services want it.
func TestTwoServicesWantTheLastRoom(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 1, cpus: 1, memory: 100})
	w.family("f", need{cpu: 16, memory: 60})
	w.createService("a", "f", 1)
	w.createService("b", "f", 1)
	has := func(name string) bool { s := w.service(name); return s.RunningCount == 1 }
	w.eventually("one of them has it", func() bool { return has("a") != has("b") })
	winner, loser := "a", "b"
	if has("b") {
		winner, loser = loser, winner
	}
	w.waitService(loser, "it says why it waits", func(s *types.Service) bool { return told(s, "has insufficient memory available") })
	w.update(winner, desired(0))
	w.steady(loser)
	if _, err := w.ecs(0).DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: aws.String(cluster), Service: &winner}); err != nil {
		t.Fatal(err)
	}
	w.startedOnce(2)
}

// A DAEMON service has one task on each host, while hosts come and go.
func TestDaemonFollowsTheHosts(t *testing.T) {
	n := size{servers: 1, hosts: 3, cpus: 4, memory: 4000}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16, port: 9000})
	w.createService("d", "f", 0, func(in *ecs.CreateServiceInput) {
		in.SchedulingStrategy, in.DesiredCount = types.SchedulingStrategyDaemon, nil
	})
	running := func(n int32) func(*types.Service) bool {
		return func(s *types.Service) bool { return s.RunningCount == n && s.DesiredCount == n && s.PendingCount == 0 }
	}
	w.waitService("d", "one runs on each host", running(3))
	w.host(3, n, w.log)
	w.waitService("d", "one runs on the new host", running(4))
	arn := *w.instances(0)[0].ContainerInstanceArn
	if _, err := w.ecs(0).UpdateContainerInstancesState(t.Context(), &ecs.UpdateContainerInstancesStateInput{
		Cluster: aws.String(cluster), ContainerInstances: []string{arn}, Status: types.ContainerInstanceStatusDraining,
	}); err != nil {
		t.Fatal(err)
	}
	w.waitService("d", "none runs on the drained host", running(3))
	w.family("f", need{cpu: 16, memory: 16, port: 9000})
	w.update("d", revision(2))
	w.waitService("d", "all are of the new revision", func(s *types.Service) bool {
		return running(3)(s) && len(s.Deployments) == 1 && s.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
	})
	w.startedOnce(7)
}

// A service is deleted by force during a rollout, and created again with the same name.
func TestDeleteByForceAndCreateAgain(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 3, cpus: 4, memory: 4000, faults: Faults{Start: 20e6, Stop: 20e6}})
	w.family("f", need{cpu: 16, memory: 16})
	w.family("f", need{cpu: 16, memory: 16})
	w.createService("s", "f:1", 10)
	w.steady("s")
	w.update("s", revision(2))
	w.waitService("s", "the rollout is under way", hasBegun(2))
	if _, err := w.ecs(0).DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: aws.String(cluster), Service: aws.String("s"), Force: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	w.waitService("s", "it is INACTIVE", func(s *types.Service) bool { return aws.ToString(s.Status) == "INACTIVE" })
	w.createService("s", "f:1", 3)
	w.steady("s")
	w.eventually("only the new ones run", func() bool { return w.containers() == 3 })
	for _, h := range w.hosts {
		for name, k := range h.Machine().Starts() {
			if k > 1 {
				t.Errorf("%s was started %d times", name, k)
			}
		}
	}
}

// Services, hosts and servers change at random. In the end each service is as wanted, and
// nothing was started twice.
func TestServicesConverge(t *testing.T) {
	n := size{servers: 2, hosts: 8, cpus: 2, memory: 2000, journal: true, faults: Faults{
		Create: 2e6, Start: 2e6, Stop: 2e6, FailCreate: 0.02, FailStart: 0.02, Lost: 0.02,
	}}
	w := newWorld(t, n)
	rng := rand.New(rand.NewPCG(w.seed, 7))
	for range 3 {
		w.family("f", need{cpu: 16, memory: 16})
	}
	names := []string{"a", "b", "c", "d"}
	want := map[string]int32{}
	for _, name := range names {
		want[name] = int32(rng.IntN(20))
		w.createService(name, fmt.Sprint("f:", 1+rng.IntN(3)), want[name])
	}
	steps := 60
	if testing.Short() {
		steps = 15
	}
	for range steps {
		name := names[rng.IntN(len(names))]
		switch rng.IntN(7) {
		case 0, 1:
			want[name] = int32(rng.IntN(20))
			w.update(name, desired(want[name]))
		case 2, 3:
			w.update(name, revision(1+rng.IntN(3)))
		case 4:
			w.hosts[rng.IntN(len(w.hosts))].Machine().killContainer(t)
		case 5:
			h := w.hosts[rng.IntN(len(w.hosts))]
			if err := h.Stop(); err != nil {
				t.Fatal(err)
			}
			h.Start()
		case 6:
			if _, err := w.ecs(0).DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: aws.String(cluster), Service: &name, Force: aws.Bool(true)}); err != nil {
				t.Fatal(err)
			}
			w.waitService(name, "it is INACTIVE", func(s *types.Service) bool { return aws.ToString(s.Status) == "INACTIVE" })
			want[name] = int32(rng.IntN(20))
			w.createService(name, fmt.Sprint("f:", 1+rng.IntN(3)), want[name])
		}
		if rng.IntN(20) == 0 {
			if err := w.servers[rng.IntN(2)].Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	total := 0
	for _, name := range names {
		if s := w.steady(name); s.DesiredCount != want[name] {
			t.Errorf("%s: desired %d, not %d", name, s.DesiredCount, want[name])
		}
		total += int(want[name])
	}
	w.eventually("what runs is what is wanted", func() bool { return w.containers() == total })
	for _, h := range w.hosts {
		for name, k := range h.Machine().Starts() {
			if k > 1 {
				t.Errorf("%s was started %d times", name, k)
			}
		}
	}
}
