package events

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "rewrite the files of testdata")

var site = fleet.Site{Account: "111122223333", Region: "us-west-2"}

func at(seconds int) time.Time {
	return time.Date(2026, 11, 21, 17, 57, 0, 402e6, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// golden compares events with a file of testdata, an event a paragraph.
func golden(t *testing.T, name string, events []Event) {
	t.Helper()
	var b bytes.Buffer
	for _, e := range events {
		text, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, "\n\n"...))
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("%s (-), and what is told (+); -update rewrites it:\n%s", path, d)
	}
}

// members are the names in an event's detail.
func members(t *testing.T, e Event) []string {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(d))
}

// contains checks for the members that ECS's documentation shows.
func contains(t *testing.T, e Event, want ...string) {
	t.Helper()
	have := members(t, e)
	for _, name := range want {
		if !slices.Contains(have, name) {
			t.Errorf("%s lacks %s: %v", e.DetailType, name, have)
		}
	}
}

// A story makes the events of changes. Each change begins in the state in which the
// last change of the same record ended.
type story struct {
	revision int64
	was      map[store.Change]store.View
	events   []Event
}

func (s *story) tell(c store.Change, is store.View) []Event {
	if s.was == nil {
		s.was = map[store.Change]store.View{}
	}
	s.revision++
	events := Of(site, &store.Moment{Change: c, Revision: 1000 + s.revision, At: at(int(s.revision)), Was: s.was[c], Is: is}, &Filter{})
	s.was[c] = is
	s.events = append(s.events, events...)
	return events
}

// host is a container instance that is connected.
func host() store.View {
	return store.View{
		Cluster: &fleet.Cluster{Name: "default"},
		Instance: &fleet.Instance{Cluster: "default", ID: "5e3fb7d4e9c74b8cb1d0e1c6a5d4f3b2", Status: fleet.InstanceActive, RegisteredAt: at(-60),
			Registered: fleet.Capacity{CPU: 2048, Memory: 3767, ReservedPorts: []fleet.Port{{Number: 22, Protocol: fleet.TCP}}},
			Attributes: []types.Attribute{{Name: aws.String("ecs.availability-zone"), Value: aws.String("us-west-2c")}, {Name: aws.String("ecs.cpu-architecture"), Value: aws.String("x86_64")}}},
		Session: &fleet.InstanceSession{AgentVersion: "1.13.0", AgentHash: "aebcbca", Docker: "1.11.2", ConnectedAt: at(-50)},
	}
}

func TestTaskLife(t *testing.T) {
	h := host()
	task := &fleet.Task{Cluster: "default", ID: "c13b4cb40f1f4fe4a2971f76ae5a47ad", Instance: h.Instance.ID, Family: "web", Revision: 3,
		LaunchType: types.LaunchTypeEc2, CreatedAt: at(0), Group: "service:web", StartedBy: "ecs-svc/9223370564343880200",
		Reserve: fleet.Reservation{CPU: 256, Memory: 512}, Containers: []fleet.TaskContainer{{Name: "app", ID: "cf159fd6-3e3f-4a9e-84f9-66cbe726af01"}}}
	v := store.View{Instance: h.Instance, Session: h.Session, Definition: &fleet.TaskDefinition{Definition: &sdk.RegisterTaskDefinitionInput{
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("example/web:3"), Cpu: 256, Memory: aws.Int32(512)}}}}}
	c := store.Change{Kind: store.TaskChanged, Names: store.Names{"default", task.ID}}
	s := story{}
	tell := func(state fleet.TaskState, want int) {
		t.Helper()
		v.Task = &state
		if got := s.tell(c, v); len(got) != want {
			t.Fatalf("%d events, want %d", len(got), want)
		}
	}
	state := fleet.TaskState{Task: task}
	tell(state, 1)
	bound := []types.NetworkBinding{{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(80), HostPort: aws.Int32(32768), Protocol: types.TransportProtocolTcp}}
	state.Report = &fleet.TaskReport{Status: fleet.TaskRunning, Version: 1, PullStartedAt: at(1), PullStoppedAt: at(2), StartedAt: at(2),
		Containers: []fleet.ContainerReport{{Name: "app", Status: fleet.TaskRunning, RuntimeID: "ad64cbc71c7f", ImageDigest: "sha256:74b2", NetworkBindings: bound}}}
	tell(state, 1)
	contains(t, s.events[len(s.events)-1], "attachments", "availabilityZone", "clusterArn", "containers", "containerInstanceArn", "createdAt", "launchType", "cpu", "memory", "desiredStatus",
		"group", "lastStatus", "overrides", "connectivity", "connectivityAt", "pullStartedAt", "startedAt", "pullStoppedAt", "updatedAt", "taskArn", "taskDefinitionArn", "version", "startedBy")
	state.Amendment = &fleet.TaskAmendment{ProtectedUntil: at(99)}
	tell(state, 0) // not a change of what an event shows
	state.Stop = &fleet.TaskStop{Code: types.TaskStopCodeServiceSchedulerInitiated, Reason: "Scaling activity initiated by (deployment ecs-svc/9223370564343880200)", At: at(4)}
	tell(state, 1)
	state.Report = &fleet.TaskReport{Status: fleet.TaskStopped, Version: 2, StopCode: types.TaskStopCodeServiceSchedulerInitiated, Reason: state.Stop.Reason,
		PullStartedAt: at(1), PullStoppedAt: at(2), StartedAt: at(2), StoppingAt: at(4), ExecutionStoppedAt: at(5), StoppedAt: at(5),
		Containers: []fleet.ContainerReport{{Name: "app", Status: fleet.TaskStopped, RuntimeID: "ad64cbc71c7f", ImageDigest: "sha256:74b2", ExitCode: aws.Int32(143)}}}
	tell(state, 1)
	contains(t, s.events[len(s.events)-1], "stopCode", "stoppedReason", "stoppedAt", "stoppingAt", "executionStoppedAt")
	v.Task = nil
	if got := s.tell(c, v); len(got) != 0 { // forgotten
		t.Errorf("%+v", got)
	}
	golden(t, "task.txt", s.events)
}

func TestInstanceLife(t *testing.T) {
	v := host()
	c := store.Change{Kind: store.InstanceChanged, Names: store.Names{"default", v.Instance.ID}}
	s := story{}
	tell := func(change func(*store.View), want ...string) {
		t.Helper()
		v.InstanceRevision = 1001 + s.revision
		change(&v)
		var got []string
		for _, e := range s.tell(c, v) {
			got = append(got, e.DetailType)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("told %q, want %q", got, want)
		}
	}
	connected := v.Session
	tell(func(v *store.View) { v.Session = nil }, ContainerInstanceStateChange)
	tell(func(v *store.View) { v.Session = connected }, ContainerInstanceStateChange)
	contains(t, s.events[1], "agentConnected", "attributes", "clusterArn", "containerInstanceArn", "registeredResources", "remainingResources", "status", "version", "versionInfo", "updatedAt")
	tell(func(v *store.View) {
		v.Usage = &fleet.Usage{CPU: 256, Memory: 512, Pending: 1, Holders: fleet.PortHolders{{PortSpan: fleet.PortSpan{First: 8080, Last: 8080, Protocol: fleet.TCP}, Task: "t", Fixed: true}}}
	}, ContainerInstanceStateChange)
	check := func(status types.InstanceHealthCheckState) *fleet.InstanceHealth {
		return &fleet.InstanceHealth{Checks: []fleet.HealthCheck{{Type: types.InstanceHealthCheckTypeContainerRuntime, Status: status, ChangedAt: at(30), WrittenAt: at(31)}}}
	}
	same := v.InstanceRevision
	for _, status := range []types.InstanceHealthCheckState{types.InstanceHealthCheckStateOk, types.InstanceHealthCheckStateImpaired} {
		tell(func(v *store.View) { v.InstanceRevision, v.Health = same, check(status) }, ContainerInstanceHealthChange)
	}
	contains(t, s.events[len(s.events)-1], "clusterArn", "containerInstanceArn", "capacityProviderName", "ec2InstanceId", "overallStatus", "healthChecks")
	tell(func(v *store.View) { v.InstanceRevision = same }) // written again without a change
	tell(func(v *store.View) { v.Session = nil }, ContainerInstanceStateChange, ContainerInstanceHealthChange)
	golden(t, "instance.txt", s.events)
}

func TestServiceLife(t *testing.T) {
	c := store.Change{Kind: store.ServiceChanged, Names: store.Names{"default", "servicetest"}}
	s := story{}
	d := store.Deployment{Deployment: &fleet.Deployment{Cluster: "default", Service: "servicetest", ID: "123", CreatedAt: at(0)}}
	tell := func(v store.View, want int) {
		t.Helper()
		if got := s.tell(c, v); len(got) != want {
			t.Fatalf("%d events, want %d: %+v", len(got), want, got)
		}
	}
	state := func(r types.DeploymentRolloutState, reason string) {
		d.State = &fleet.DeploymentState{Rollout: r, Reason: reason, UpdatedAt: at(7)}
	}
	tell(store.View{Deployment: d}, 1)
	state(types.DeploymentRolloutStateInProgress, "")
	tell(store.View{Deployment: d}, 0) // its creation was reported already
	contains(t, s.events[0], "eventType", "eventName", "deploymentId", "updatedAt", "reason")
	state(types.DeploymentRolloutStateFailed, "ECS deployment circuit breaker: tasks failed to start.")
	tell(store.View{Deployment: d}, 1)
	s.was = nil
	d = store.Deployment{Deployment: &fleet.Deployment{Cluster: "default", Service: "servicetest", ID: "124", CreatedAt: at(8), RollbackOf: "123"}}
	tell(store.View{Deployment: d}, 1)
	state(types.DeploymentRolloutStateCompleted, "")
	tell(store.View{Deployment: d}, 1)
	for _, e := range []fleet.ServiceEvent{
		{Number: 7, At: at(9), Type: "INFO", Name: "SERVICE_STEADY_STATE", Message: "(service servicetest) has reached a steady state."},
		{Number: 8, At: at(9), Type: "ERROR", Name: "SERVICE_TASK_PLACEMENT_FAILURE", Reason: "RESOURCE:CPU"},
	} {
		s.was = nil
		tell(store.View{Event: &e}, 1)
		contains(t, s.events[len(s.events)-1], "eventType", "eventName", "clusterArn", "createdAt")
	}
	s.was = nil
	tell(store.View{Event: &fleet.ServiceEvent{Number: 9, Message: "ECS has no event for this"}}, 0)
	golden(t, "service.txt", s.events)
}
