package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// healthyAfter is how long tasks of these services must run to count as healthy.
const healthyAfter = 0

func setting(key, value string) types.Tag {
	return types.Tag{Key: aws.String("ashore." + key), Value: aws.String(value)}
}

// createService creates a service.
func (w *world) createService(name, family string, desired int32, change ...func(*ecs.CreateServiceInput)) {
	w.t.Helper()
	in := &ecs.CreateServiceInput{
		Cluster: aws.String(cluster), ServiceName: &name, TaskDefinition: &family, DesiredCount: &desired,
		Tags: []types.Tag{setting("healthy-after", fmt.Sprint(healthyAfter))},
	}
	for _, f := range change {
		f(in)
	}
	if _, err := w.ecs(0).CreateService(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) update(name string, change func(*ecs.UpdateServiceInput)) {
	w.t.Helper()
	in := &ecs.UpdateServiceInput{Cluster: aws.String(cluster), Service: &name}
	change(in)
	if _, err := w.ecs(0).UpdateService(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) service(name string) types.Service {
	w.t.Helper()
	out, err := w.ecs(0).DescribeServices(w.t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: []string{name}})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(out.Services) != 1 {
		w.t.Fatalf("service %s: %+v", name, out.Failures)
	}
	return out.Services[0]
}

// story returns a service's state in a few lines, for a test that fails.
func story(s *types.Service) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: desired %d, running %d, pending %d\n", aws.ToString(s.ServiceName), aws.ToString(s.Status), s.DesiredCount, s.RunningCount, s.PendingCount)
	for _, d := range s.Deployments {
		fmt.Fprintf(&b, "  %s %s %s: desired %d, running %d, pending %d, failed %d: %s\n", aws.ToString(d.Id), aws.ToString(d.Status), d.RolloutState, d.DesiredCount, d.RunningCount, d.PendingCount, d.FailedTasks, aws.ToString(d.RolloutStateReason))
	}
	for i, e := range s.Events {
		if i == 12 {
			break
		}
		fmt.Fprintf(&b, "  %s\n", aws.ToString(e.Message))
	}
	return b.String()
}

// waitService waits until ok is true for a service.
func (w *world) waitService(name, what string, ok func(*types.Service) bool) types.Service {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		s := w.service(name)
		if ok(&s) {
			return s
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s\n%s", what, story(&s))
		}
	}
}

// isSteady reports what the SDK's waiter ServicesStable waits for, and that the rollout has
// completed.
func isSteady(s *types.Service) bool {
	return len(s.Deployments) == 1 && s.RunningCount == s.DesiredCount && s.PendingCount == 0 && s.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
}

func (w *world) steady(name string) types.Service {
	w.t.Helper()
	return w.waitService(name, "the service is steady", isSteady)
}

// hasBegun returns a condition: the first task of a revision runs or has run. So a late check
// sees it too.
func hasBegun(revision int) func(*types.Service) bool {
	return func(s *types.Service) bool {
		d := &s.Deployments[0]
		return strings.HasSuffix(aws.ToString(d.TaskDefinition), fmt.Sprint("/f:", revision)) && d.RunningCount > 0
	}
}

func (w *world) tasksOf(service string) []types.Task {
	w.t.Helper()
	var arns []string
	pages := ecs.NewListTasksPaginator(w.ecs(0), &ecs.ListTasksInput{Cluster: aws.String(cluster)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		arns = append(arns, page.TaskArns...)
	}
	var out []types.Task
	for _, t := range w.status(0, arns) {
		if aws.ToString(t.Group) == "service:"+service {
			out = append(out, t)
		}
	}
	return out
}

func told(s *types.Service, text string) bool {
	for _, e := range s.Events {
		if strings.Contains(aws.ToString(e.Message), text) {
			return true
		}
	}
	return false
}

func revision(n int) func(*ecs.UpdateServiceInput) {
	return func(in *ecs.UpdateServiceInput) { in.TaskDefinition = aws.String(fmt.Sprintf("f:%d", n)) }
}

func desired(n int32) func(*ecs.UpdateServiceInput) {
	return func(in *ecs.UpdateServiceInput) { in.DesiredCount = &n }
}

// killContainer ends one running container of the machine. It returns false if there was none.
// one.
func (m *Machine) killContainer(t *testing.T) bool {
	t.Helper()
	all, err := m.List(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Phase == runtime.PhaseRunning {
			m.Exit(c.ID, 137)
			return true
		}
	}
	return false
}

// A user's first steps: create, replace what dies, update, scale, delete.
func TestServiceLife(t *testing.T) {
	n := size{servers: 1, hosts: 4, cpus: 4, memory: 4000}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	w.createService("s", "f", 20)
	s := w.steady("s")
	if !told(&s, "(service s) has reached a steady state.") || !told(&s, "(service s) has started") {
		t.Errorf("events:\n%s", story(&s))
	}
	w.startedOnce(20)
	for _, h := range w.hosts {
		if got := h.Machine().Running(); got != 5 {
			t.Errorf("%s has %d of 20 tasks, not a fourth: a service without strategies spreads", h.cfg.Name, got)
		}
	}
	for range 3 {
		if !w.hosts[0].Machine().killContainer(t) {
			t.Fatal("nothing runs on the first host")
		}
	}
	w.waitService("s", "what died is replaced", func(s *types.Service) bool { return w.countStarts() == 23 && isSteady(s) && len(w.tasksOf("s")) == 20 })
	w.startedOnce(23)
	w.update("s", desired(30))
	w.steady("s")
	w.startedOnce(33)
	w.update("s", desired(5))
	w.steady("s")
	w.eventually("the surplus has ended", func() bool { return w.containers() == 5 })
	w.family("f", need{cpu: 16, memory: 16})
	w.update("s", revision(2))
	s = w.steady("s")
	if aws.ToString(s.Deployments[0].TaskDefinition) != aws.ToString(s.TaskDefinition) || !strings.HasSuffix(*s.TaskDefinition, "f:2") {
		t.Errorf("after the update:\n%s", story(&s))
	}
	w.startedOnce(38)
	w.update("s", desired(0))
	w.waitService("s", "no task is left", func(s *types.Service) bool { return s.RunningCount == 0 && s.PendingCount == 0 })
	w.update("s", desired(3))
	w.steady("s")
	if _, err := w.ecs(0).DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: aws.String(cluster), Service: aws.String("s"), Force: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	w.waitService("s", "it is INACTIVE", func(s *types.Service) bool { return aws.ToString(s.Status) == "INACTIVE" })
	w.eventually("nothing runs on", func() bool { return w.containers() == 0 })
	w.startedOnce(41)
}

// Scaling in follows the strategies: binpack empties the host with the most free
// resources, spread stays even.
func TestScaleInByStrategy(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 3, cpus: 4, memory: 100})
	on := func() []int {
		var out []int
		for _, h := range w.hosts {
			out = append(out, h.Machine().Running())
		}
		slices.Sort(out)
		return out
	}
	w.family("f", need{cpu: 16, memory: 30})
	w.createService("packs", "f", 7, func(in *ecs.CreateServiceInput) {
		in.PlacementStrategy = []types.PlacementStrategy{{Type: types.PlacementStrategyTypeBinpack, Field: aws.String("memory")}}
	})
	w.steady("packs")
	w.update("packs", desired(6))
	w.steady("packs")
	w.eventually("the surplus has ended", func() bool { return w.containers() == 6 })
	if got := on(); !slices.Equal(got, []int{0, 3, 3}) {
		t.Errorf("what packs has %v tasks on its hosts", got)
	}
	w.update("packs", desired(0))
	w.eventually("all have ended", func() bool { return w.containers() == 0 })
	w.createService("spreads", "f", 7)
	w.steady("spreads")
	w.update("spreads", desired(4))
	w.steady("spreads")
	w.eventually("the surplus has ended", func() bool { return w.containers() == 4 })
	if got := on(); !slices.Equal(got, []int{1, 1, 2}) {
		t.Errorf("what spreads has %v tasks on its hosts", got)
	}
}

// containers counts the running containers of all machines.
func (w *world) containers() int {
	n := 0
	for _, h := range w.hosts {
		n += h.Machine().Running()
	}
	return n
}
