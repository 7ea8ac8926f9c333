package test

import (
	"context"
	"errors"
	"maps"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestServiceWalk runs the README's section about services, and further steps of a
// newcomer, with the stock command line.
func TestServiceWalk(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.up("--no-sample")
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "services.sh")
	cmd.Env = append(i.env(), "ASHORE_INSTALLATION="+i.admin().InstallationID)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v after %s\n%s", err, time.Since(begun), out)
	}
	t.Logf("%s\n%s", time.Since(begun), out)
}

// TestServices runs services in real containers on one host.
func TestServices(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	if err := in.Up(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		test func(*fleet)
	}{
		{"no request fails while a deployment rolls", rollUnderLoad},
		{"a broken image is rolled back", brokenImage},
		{"a fixed port", fixedPort},
		{"nobody is replaced for the control plane's absence", testAbsence},
	} {
		if !t.Run(c.name, func(t *testing.T) { c.test(&fleet{t, in, ctx}) }) {
			return
		}
	}
}

func rollUnderLoad(f *fleet) {
	const name, desired = "rolling", 3
	f.create(name, f.define(name, 0), desired, &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(100), MaximumPercent: aws.Int32(200)})
	old := f.tasks(name)
	b := &balancer{api: f.api(), service: name, fewest: desired, answered: map[string]int{}}
	ctx, stop := context.WithCancel(f.ctx)
	var wg sync.WaitGroup
	watched := make(chan error, 1)
	wg.Go(func() { watched <- b.watch(ctx) })
	for w := range 4 {
		wg.Go(func() { b.send(ctx, w) })
	}
	f.await("300 requests", func() bool { return b.sent.Load() > 300 })
	begun := time.Now()
	f.update(&ecs.UpdateServiceInput{Service: aws.String(name), TaskDefinition: aws.String(f.define(name, 0))})
	f.awaitStable(name)
	took := time.Since(begun)
	sent := b.sent.Load()
	f.await("300 more requests", func() bool { return b.sent.Load() > sent+300 })
	f.await("the old tasks' end", func() bool {
		out, err := f.api().DescribeTasks(f.ctx, &ecs.DescribeTasksInput{Tasks: arns(old)})
		if err != nil {
			f.Fatal(err)
		}
		return !slices.ContainsFunc(out.Tasks, func(t types.Task) bool { return *t.LastStatus != "STOPPED" })
	})
	stop()
	wg.Wait()
	f.Logf("%d requests, %d failed; deployment of %d tasks in %s; at least %d tasks took requests; answers by container: %v",
		b.sent.Load(), len(b.failed), desired, took.Round(time.Millisecond), b.fewest, slices.Sorted(maps.Values(b.answered)))
	f.Logf("events:\n%s", strings.Join(f.messages(name), "\n"))
	if err := <-watched; err != nil {
		f.Error(err)
	}
	if len(b.failed) > 0 {
		f.Errorf("%d requests failed, first: %s", len(b.failed), b.failed[0])
	}
	if len(b.answered) != 2*desired || b.fewest < desired {
		f.Errorf("%d containers answered, want %d; %d tasks at the fewest", len(b.answered), 2*desired, b.fewest)
	}
	if slices.ContainsFunc(arns(f.tasks(name)), func(a string) bool { return slices.Contains(arns(old), a) }) {
		f.Error("an old task is still there")
	}
	f.delete(name)
}

func brokenImage(f *fleet) {
	const name, desired = "broken", 3
	good := f.define(name, 0)
	f.create(name, good, desired, &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}})
	old := arns(f.tasks(name))
	f.update(&ecs.UpdateServiceInput{Service: aws.String(name), TaskDefinition: aws.String(f.define(name, 0, "/no/such/program"))})
	failed := *f.service(name).Deployments[0].Id
	f.await("the rollback", func() bool {
		d := f.service(name).Deployments[0]
		return *d.Id != failed && *d.TaskDefinition == good && d.RolloutState == types.DeploymentRolloutStateCompleted
	})
	f.awaitStable(name)
	if got := arns(f.tasks(name)); !slices.Equal(got, old) {
		f.Errorf("the good tasks did not stay: %q, were %q", got, old)
	}
	messages := strings.Join(f.messages(name), "\n")
	f.Logf("events of the service:\n%s", messages)
	for _, want := range []string{"(deployment " + failed + ") deployment failed: tasks failed to start.", "rolling back to deployment ecs-svc/", "has reached a steady state."} {
		if !strings.Contains(messages, want) {
			f.Errorf("no event says %q", want)
		}
	}
	l, err := f.api().ListTasks(f.ctx, &ecs.ListTasksInput{StartedBy: &failed, DesiredStatus: types.DesiredStatusStopped})
	if err != nil {
		f.Fatal(err)
	}
	never := 0
	if len(l.TaskArns) > 0 {
		out, err := f.api().DescribeTasks(f.ctx, &ecs.DescribeTasksInput{Tasks: l.TaskArns})
		if err != nil {
			f.Fatal(err)
		}
		for _, t := range out.Tasks {
			if t.StopCode == types.TaskStopCodeTaskFailedToStart {
				never++
			}
			f.Logf("a task of the failed deployment: %s: %s; %s", t.StopCode, aws.ToString(t.StoppedReason), aws.ToString(t.Containers[0].Reason))
		}
	}
	// ECS's threshold for three tasks is three. Tasks that were launched with the third
	// one may have failed as well.
	if never < 3 || never > 3+desired {
		f.Errorf("%d tasks failed to start before the circuit breaker tripped, want 3", never)
	}
	out := f.in.run("events", "--service", name, "--detail-type", "deployment")
	f.Logf("ashore events:\n%s", out)
	for _, want := range []string{"SERVICE_DEPLOYMENT_FAILED", "ECS deployment circuit breaker: tasks failed to start.", "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/", "SERVICE_DEPLOYMENT_COMPLETED"} {
		if !strings.Contains(out, want) {
			f.Errorf("ashore events does not say %q", want)
		}
	}
	f.delete(name)
}

func fixedPort(f *fleet) {
	const name = "fixed"
	_, text, err := net.SplitHostPort(freeAddress(f.T))
	if err != nil {
		f.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		f.Fatal(err)
	}
	f.create(name, f.define(name, int32(port)), 1, &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(100), MaximumPercent: aws.Int32(200)})
	old := f.tasks(name)[0]
	id := (*old.TaskArn)[strings.LastIndexByte(*old.TaskArn, '/')+1:]
	next := f.define(name, int32(port))
	f.update(&ecs.UpdateServiceInput{Service: aws.String(name), TaskDefinition: &next})
	said := ""
	f.await("an event that names the port and its holder", func() bool {
		for _, m := range f.messages(name) {
			if strings.Contains(m, "was unable to place a task") && strings.Contains(m, text) && strings.Contains(m, id) {
				said = m
			}
		}
		return said != ""
	})
	f.Logf("with minimum 100: %s", said)
	if got := arns(f.tasks(name)); !slices.Equal(got, []string{*old.TaskArn}) {
		f.Errorf("the old task did not stay: %q", got)
	}
	if _, err := get(f.ctx, "127.0.0.1:"+text); err != nil {
		f.Errorf("the old task does not answer: %v", err)
	}
	f.update(&ecs.UpdateServiceInput{Service: aws.String(name), DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(0), MaximumPercent: aws.Int32(200)}})
	f.await("the new task", func() bool {
		t := f.tasks(name)
		return len(t) == 1 && *t[0].TaskDefinitionArn == next && *t[0].LastStatus == "RUNNING"
	})
	f.awaitStable(name)
	f.await("its page", func() bool { _, err := get(f.ctx, "127.0.0.1:"+text); return err == nil })
	f.Logf("with minimum 0:\n%s", strings.Join(f.messages(name), "\n"))
	f.delete(name)
}

// testAbsence takes the control plane away for longer than the loss time, and restarts the
// host's agent at once.
func testAbsence(f *fleet) {
	const name, lost, away = "steady", 5 * time.Second, 12 * time.Second
	cluster, err := f.api().DescribeClusters(f.ctx, &ecs.DescribeClustersInput{Clusters: []string{"default"}})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := f.api().TagResource(f.ctx, &ecs.TagResourceInput{ResourceArn: cluster.Clusters[0].ClusterArn,
		Tags: []types.Tag{{Key: aws.String("ashore.replace-lost-after"), Value: aws.String(strconv.Itoa(int(lost.Seconds())))}}}); err != nil {
		f.Fatal(err)
	}
	f.create(name, f.define(name, 0), 3, nil)
	f.await("the end of the other services' containers", func() bool { return len(f.runningContainers()) == 3 })
	before := f.runningContainers()
	tasks := arns(f.tasks(name))
	begun := time.Now()
	if err := errors.Join(f.in.Kill(f.ctx, "server"), f.in.Kill(f.ctx, "agent")); err != nil {
		f.Fatal(err)
	}
	select {
	case <-time.After(away):
	case <-f.ctx.Done():
		f.Fatal(f.ctx.Err())
	}
	if err := f.in.Up(f.ctx); err != nil {
		f.Fatal(err)
	}
	back := time.Since(begun)
	f.await("the agent's connection", func() bool {
		l, err := f.api().ListContainerInstances(f.ctx, &ecs.ListContainerInstancesInput{Filter: aws.String("agentConnected == true")})
		return err == nil && len(l.ContainerInstanceArns) == 1
	})
	// For the time of another loss nothing may happen.
	for end := time.Now().Add(lost + 3*time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got := f.runningContainers(); !maps.Equal(got, before) {
			f.Fatalf("containers were %v, are %v", before, got)
		}
	}
	f.awaitStable(name)
	if got := arns(f.tasks(name)); !slices.Equal(got, tasks) {
		f.Errorf("tasks were %q, are %q", tasks, got)
	}
	f.Logf("the control plane was away for %s, with a loss time of %s: %d containers before and after, 0 replaced", back.Round(time.Second), lost, len(before))
}
