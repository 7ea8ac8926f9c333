package ashore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/control/explain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// installation is a running API and the client of its own service.
type installation struct {
	*apitest.API
	client *client.Client
}

func startInstallation(t *testing.T) *installation {
	a := apitest.Start(t)
	admin, err := identity.EnsureAdmin(t.Context(), a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(local.Admin{Endpoint: a.URL, Region: apitest.Site.Region, AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey})
	t.Cleanup(c.Close)
	for _, name := range []string{"default", "c"} {
		if _, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	return &installation{a, c}
}

// define registers a definition whose container keeps a host port, if any.
func (i *installation) define(t *testing.T, family string, port int32) {
	t.Helper()
	main := types.ContainerDefinition{Name: aws.String("main"), Image: aws.String("image"), Memory: aws.Int32(512), Cpu: 128}
	if port > 0 {
		main.PortMappings = []types.PortMapping{{ContainerPort: &port, HostPort: &port}}
	}
	if _, err := i.Client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{Family: &family, ContainerDefinitions: []types.ContainerDefinition{main}}); err != nil {
		t.Fatal(err)
	}
}

// says asks for an explanation and looks for texts in what a terminal would show.
func (i *installation) says(t *testing.T, cluster, what string, texts ...string) *explain.Explanation {
	t.Helper()
	e, err := i.client.Explain(t.Context(), cluster, what)
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(e.Lines(), "\n")
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			t.Errorf("%s: no %q in\n%s", what, text, shown)
		}
	}
	return e
}

func TestExplainDefinition(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 8080)
	i.says(t, "c", "web", "task definition arn:", "web:1: ACTIVE", "refused: No Container Instances were found in your cluster.")
	host, _ := i.Register("h", "c")
	i.says(t, "c", "web:1", "a task of it now: there is room on 1 of 1 container instances")
	out, err := i.Client.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("web")})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatal(err, out)
	}
	id := (*out.Tasks[0].TaskArn)[strings.LastIndexByte(*out.Tasks[0].TaskArn, '/')+1:]
	before := i.Store.Snapshot().Revision()
	i.says(t, "c", "web", "there is no room on any of 1 container instances", "1 refused: RESOURCE:PORTS", "closest: "+host,
		"Host port 8080/tcp is held by task "+id, "→ Stop the task that holds the port, add a container instance, or use host port 0")
	if after := i.Store.Snapshot().Revision(); after != before {
		t.Errorf("explaining wrote something: revision %d, then %d", before, after)
	}
	if _, err := i.Client.UpdateContainerInstancesState(t.Context(), &ecs.UpdateContainerInstancesStateInput{
		Cluster: aws.String("c"), ContainerInstances: []string{host}, Status: types.ContainerInstanceStatusDraining,
	}); err != nil {
		t.Fatal(err)
	}
	i.says(t, "c", "web", "1 refused: INACTIVE", "The container instance is DRAINING.", "→ Set the container instance ACTIVE again")
}

// All that a definition needs and does not get is told, thing by thing.
func TestExplainWhatADefinitionLacks(t *testing.T) {
	i := startInstallation(t)
	host, _ := i.Register("h", "c")
	register := func(family string, role *string) {
		t.Helper()
		_, err := i.Client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{Family: &family, TaskRoleArn: role, ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("main"), Image: aws.String("image"), Memory: aws.Int32(512), Privileged: aws.Bool(true), DockerSecurityOptions: []string{"apparmor:x"},
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	register("secured", nil)
	e := i.says(t, "c", "secured", "1 refused: ATTRIBUTE", "closest: "+host, "      The task needs 2 things that the container instance does not offer.",
		"        dockerSecurityOptions apparmor of the container main (attribute com.amazonaws.ecs.capability.apparmor)\n          → ",
		"        privileged of the container main (attribute com.amazonaws.ecs.capability.privileged-container)\n          → ")
	if len(e.Placement) != 1 || len(e.Placement[0].Nearest.Lacks) != 2 {
		t.Errorf("%+v", e.Placement)
	}
	register("trusted", aws.String("role"))
	e = i.says(t, "c", "trusted", "a task of it now: refused: the task needs what it can't get in the cluster c.",
		"    taskRoleArn, whose credentials tasks get, not served by Ashore yet\n      → ",
		"    privileged of the container main (attribute com.amazonaws.ecs.capability.privileged-container), which no container instance of the cluster c offers\n      → ")
	if len(e.Placement) != 1 || len(e.Placement[0].Lacks) != 3 {
		t.Errorf("%+v", e.Placement)
	}
}

func TestExplainTask(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 0)
	host, agent := i.Register("h", "c")
	out, err := i.Client.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("web")})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatal(err, out)
	}
	arn := *out.Tasks[0].TaskArn
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	i.says(t, "c", id, "task "+arn+": PENDING", host+", whose agent is connected", "has reported nothing yet")
	i.Connect(host, false)
	i.says(t, "", arn, "is not connected", "→ Start the agent on the host") // the ARN says which cluster
	i.Connect(host, true)
	submit := func(status, reason string) {
		t.Helper()
		if _, err := agent.SubmitTaskStateChange(t.Context(), &ecs.SubmitTaskStateChangeInput{
			Cluster: aws.String("c"), Task: &arn, Status: &status, Reason: &reason,
			Containers: []types.ContainerStateChange{{ContainerName: aws.String("main"), Status: &status, ExitCode: aws.Int32(3), Reason: &reason}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	submit("RUNNING", "")
	i.says(t, "c", id, ": RUNNING", "It runs since ", "Container main: RUNNING")
	if _, err := i.Client.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("c"), Task: &arn, Reason: aws.String("enough")}); err != nil {
		t.Fatal(err)
	}
	i.says(t, "c", id, "It is to stop since ", "enough (UserInitiated)")
	submit("STOPPED", "it broke")
	i.says(t, "c", id, ": STOPPED", "enough (UserInitiated)", "It had run since", "Container main: STOPPED, exit code 3")
}

// A task that is PENDING on its host says which pull and which other container it
// waits for.
func TestExplainPendingTask(t *testing.T) {
	i := startInstallation(t)
	box := func(name string, on ...types.ContainerDependency) types.ContainerDefinition {
		return types.ContainerDefinition{Name: &name, Image: aws.String("images/" + name), Memory: aws.Int32(64), DependsOn: on, Essential: aws.Bool(name != "init")}
	}
	on := func(name string, c types.ContainerCondition) types.ContainerDependency {
		return types.ContainerDependency{ContainerName: &name, Condition: c}
	}
	db := box("db")
	db.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}}
	linked := box("linked")
	linked.Links = []string{"db:database"}
	if _, err := i.Client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{Family: aws.String("web"), ContainerDefinitions: []types.ContainerDefinition{
		db, box("init"), box("app", on("db", types.ContainerConditionHealthy), on("init", types.ContainerConditionSuccess)), linked,
	}}); err != nil {
		t.Fatal(err)
	}
	var offers []types.Attribute
	for _, name := range []string{"ecs.capability.container-ordering", "ecs.capability.container-health-check", "com.amazonaws.ecs.capability.docker-remote-api.1.24"} {
		offers = append(offers, types.Attribute{Name: &name})
	}
	i.Register("h", "c", offers...)
	out, err := i.Client.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("web")})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatal(err, out)
	}
	id := (*out.Tasks[0].TaskArn)[strings.LastIndexByte(*out.Tasks[0].TaskArn, '/')+1:]
	began := time.Now().UTC().Add(-90 * time.Second)
	write := func(fn func(*store.Tx) error) {
		t.Helper()
		if err := i.Store.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	report := func(r fleet.TaskReport) {
		r.Status = fleet.TaskPending
		write(func(tx *store.Tx) error { return put(tx, store.TaskReportKey("c", id), &r) })
	}
	report(fleet.TaskReport{PullStartedAt: began, Pulls: []fleet.ContainerPull{{Name: "init", Since: began}}})
	i.says(t, "c", id, "Container init waits for its image images/init, which its host pulls since "+began.Format(time.RFC3339)+", for 1m3",
		"Container app waits for the container db: HEALTHY. That is PENDING.", "Container linked waits for the container db: START. That is PENDING.")
	report(fleet.TaskReport{Containers: []fleet.ContainerReport{{Name: "db", Status: fleet.TaskRunning}, {Name: "init", Status: fleet.TaskRunning}, {Name: "linked", Status: fleet.TaskRunning}}})
	i.says(t, "c", id, "Container app waits for the container db: HEALTHY. That is RUNNING, its health is UNKNOWN.", "Container app waits for the container init: SUCCESS. That is RUNNING.")
	report(fleet.TaskReport{Containers: []fleet.ContainerReport{{Name: "db", Status: fleet.TaskRunning}, {Name: "init", Status: fleet.TaskStopped, ExitCode: aws.Int32(0)}}})
	write(func(tx *store.Tx) error {
		return put(tx, store.TaskHealthKey("c", id), &fleet.TaskHealth{Containers: []fleet.ContainerHealth{{Name: "db", Status: types.HealthStatusUnhealthy, Since: began}}})
	})
	e := i.says(t, "c", id, "its health is UNHEALTHY since "+began.Format(time.RFC3339)+".\n    → See on its host why the health check fails. Without a startTimeout of db, app waits for ever.")
	for _, f := range e.Findings {
		if strings.Contains(f.Text, "waits for the container init") || strings.Contains(f.Text, "linked waits") {
			t.Error(f.Text)
		}
	}
}

// A second agent with the host's identity is told of.
func TestExplainDuplicateAgent(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 0)
	host, _ := i.Register("h", "c")
	out, err := i.Client.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("web")})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatal(err, out)
	}
	for _, refused := range []bool{false, true} {
		err := i.Store.Update(t.Context(), func(tx *store.Tx) error {
			k := store.InstanceKey("c", host[len(host)-fleet.IDLength:])
			next := *store.Get(tx, k)
			next.Duplicate = &fleet.DuplicateAgent{Connection: "x", Address: "192.0.2.7", At: time.Unix(0, 0).UTC(), Refused: refused}
			return store.Put(tx, k, &next)
		})
		if err != nil {
			t.Fatal(err)
		}
		e := i.says(t, "", *out.Tasks[0].TaskArn, "whose agent is connected")
		if told := strings.Contains(strings.Join(e.Lines(), "\n"), "A second agent from 192.0.2.7 with the identity of the container instance was refused at 1970-01-01T00:00:00Z."); told != refused {
			t.Errorf("refused %v: %q", refused, e.Lines())
		}
	}
}

// A task that waits for a host says what keeps it.
func TestExplainWaitingTask(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 0)
	ctx := t.Context()
	if _, err := i.Client.CreateCapacityProvider(ctx, &ecs.CreateCapacityProviderInput{Name: aws.String("p"), AutoScalingGroupProvider: &types.AutoScalingGroupProvider{
		AutoScalingGroupArn: aws.String("arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:uuid:autoScalingGroupName/g"),
		ManagedScaling:      &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Client.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{
		Cluster: aws.String("c"), CapacityProviders: []string{"p"}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	}); err != nil {
		t.Fatal(err)
	}
	out, err := i.Client.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("web"),
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("p"), Weight: 1}}})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatal(err, out)
	}
	i.says(t, "", *out.Tasks[0].TaskArn, ": PROVISIONING", "It waits for a host since ", "the capacity provider p", "by the capacity provider p: refused: No Container Instances were found")
}

func TestExplainService(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 8080)
	host, _ := i.Register("h", "c")
	now := time.Now().UTC()
	svc := &fleet.Service{
		Cluster: "c", Name: "web", ID: "1", Status: fleet.ServiceActive, CreatedAt: now, Scheduling: types.SchedulingStrategyReplica, DesiredCount: 2, Deployment: "7", Deployments: 1,
		Strategies: []types.PlacementStrategy{{Type: types.PlacementStrategyTypeSpread, Field: aws.String("instanceId")}},
	}
	err := i.Store.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			put(tx, store.ServiceKey("c", "web"), svc),
			put(tx, store.ServiceRevisionKey("c", "web", "r"), &fleet.ServiceRevision{Cluster: "c", Service: "web", ID: "r", Family: "web", Revision: 1, LaunchType: types.LaunchTypeEc2}),
			put(tx, store.DeploymentKey("c", "web", "7"), &fleet.Deployment{Cluster: "c", Service: "web", ServiceID: "1", ID: "7", Number: 1, Revision: "r", CreatedAt: now}),
			put(tx, store.DeploymentStateKey("c", "web", "7"), &fleet.DeploymentState{
				Launched: 1, Rollout: types.DeploymentRolloutStateInProgress, Reason: "in progress", NextTry: now.Add(time.Hour),
				Unplaced: &fleet.PlacementFailure{At: now, Reason: "RESOURCE:PORTS", Detail: "Host port 8080/tcp is held by task 0.", Tries: 4},
			}),
			put(tx, store.TaskKey("c", strings.Repeat("0", 32)), &fleet.Task{
				Cluster: "c", ID: strings.Repeat("0", 32), Instance: host[strings.LastIndexByte(host, '/')+1:], Family: "web", Revision: 1, LaunchType: types.LaunchTypeEc2,
				CreatedAt: now, Group: "service:web", StartedBy: "ecs-svc/7", Serial: 1,
				Reserve: fleet.Reservation{Memory: 512, Ports: []fleet.Port{{Number: 8080, Protocol: fleet.TCP}}},
			}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	e := i.says(t, "c", "web",
		"service arn:aws:ecs:us-east-1:000000000000:service/c/web: ACTIVE", "It wants 2 tasks. 0 of its tasks run, 1 are pending, 0 are stopping.",
		"Deployment ecs-svc/7, PRIMARY, of web:1: 0 tasks run, 1 are pending, 0 are stopping; IN_PROGRESS: in progress",
		"4 times in a row by then: RESOURCE:PORTS: Host port 8080/tcp is held by task 0.",
		"the next is tried at "+now.Add(time.Hour).Format(time.RFC3339),
		"one more task now: there is no room on any of 1 container instances", "closest: "+host, "Host port 8080/tcp is held by task "+strings.Repeat("0", 32))
	if e.Kind != explain.KindService || len(e.Placement) != 1 || e.Placement[0].Nearest == nil || e.Placement[0].Nearest.Instance != host {
		t.Errorf("%+v", e)
	}
	i.says(t, "", e.ARN, "service "+e.ARN)
}

// Of tasks that keep ending the replacements wait: explain says until when and why.
func TestExplainCrashLoop(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 0)
	now := time.Now().UTC().Truncate(time.Millisecond)
	const launched = 9 // one a half minute, the last one ends now
	ended := func(tx *store.Tx, serial int64) error {
		id, end := fleet.ServiceTaskID("7", serial), now.Add(time.Duration(serial-launched)*30*time.Second)
		return errors.Join(
			put(tx, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: strings.Repeat("1", 32), Family: "web", Revision: 1,
				CreatedAt: end.Add(-time.Second), Group: "service:web", StartedBy: "ecs-svc/7", Serial: serial}),
			put(tx, store.TaskReportKey("c", id), &fleet.TaskReport{Status: fleet.TaskStopped, StopCode: types.TaskStopCodeEssentialContainerExited, Reason: "Essential container in task exited",
				StartedAt: end, StoppingAt: end, StoppedAt: end, Containers: []fleet.ContainerReport{{Name: "x", ExitCode: aws.Int32(3)}}}))
	}
	err := i.Store.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			put(tx, store.ServiceKey("c", "web"), &fleet.Service{Cluster: "c", Name: "web", ID: "1", Status: fleet.ServiceActive, CreatedAt: now,
				Scheduling: types.SchedulingStrategyReplica, DesiredCount: 1, Deployment: "7", Deployments: 1}),
			put(tx, store.ServiceRevisionKey("c", "web", "r"), &fleet.ServiceRevision{Cluster: "c", Service: "web", ID: "r", Family: "web", Revision: 1, LaunchType: types.LaunchTypeEc2}),
			put(tx, store.DeploymentKey("c", "web", "7"), &fleet.Deployment{Cluster: "c", Service: "web", ServiceID: "1", ID: "7", Number: 1, Revision: "r", CreatedAt: now}),
			put(tx, store.DeploymentStateKey("c", "web", "7"), &fleet.DeploymentState{Launched: launched, Rollout: types.DeploymentRolloutStateCompleted}),
			ended(tx, 1), ended(tx, 2), ended(tx, 3), ended(tx, 4), ended(tx, 5), ended(tx, 6), ended(tx, 7), ended(tx, 8), ended(tx, 9))
	})
	if err != nil {
		t.Fatal(err)
	}
	i.says(t, "c", "web", "Its tasks keep ending by themselves within 10 seconds of their start",
		"1 of them not yet, the next at "+now.Add(30*time.Second).Format(time.RFC3339)+", in ",
		"Its task "+fleet.ServiceTaskID("7", launched)+" ended at "+now.Format(time.RFC3339)+": Essential container in task exited; container x: exit code 3")
}

// Minimum and maximum that let no task be replaced are what keeps a deployment,
// however much room there is on hosts.
func TestExplainStuckDeployment(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 0)
	i.Register("h", "c")
	now := time.Now().UTC().Truncate(time.Second)
	for _, tt := range []struct {
		desired          int
		minimum, maximum int32
		help             string
	}{
		{1, 50, 100, "a maximumPercent of at least 200, or to a minimumHealthyPercent of at most 0."},
		{3, 67, 100, "a maximumPercent of at least 134, or to a minimumHealthyPercent of at most 66."},
	} {
		err := i.Store.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(
				put(tx, store.ServiceKey("c", "web"), &fleet.Service{Cluster: "c", Name: "web", ID: "1", Status: fleet.ServiceActive, CreatedAt: now,
					Scheduling: types.SchedulingStrategyReplica, DesiredCount: tt.desired, Deployment: "8", Deployments: 2,
					Configuration: &types.DeploymentConfiguration{MinimumHealthyPercent: &tt.minimum, MaximumPercent: &tt.maximum}}),
				put(tx, store.ServiceRevisionKey("c", "web", "r"), &fleet.ServiceRevision{Cluster: "c", Service: "web", ID: "r", Family: "web", Revision: 1, LaunchType: types.LaunchTypeEc2}),
				put(tx, store.DeploymentKey("c", "web", "8"), &fleet.Deployment{Cluster: "c", Service: "web", ServiceID: "1", ID: "8", Number: 2, Revision: "r", CreatedAt: now}),
				put(tx, store.DeploymentStateKey("c", "web", "8"), &fleet.DeploymentState{Rollout: types.DeploymentRolloutStateInProgress, Stuck: true}))
		})
		if err != nil {
			t.Fatal(err)
		}
		i.says(t, "c", "web", "Its deployment configuration lets no task stop and none start beside the others", tt.help, "one more task now: refused: the service's minimumHealthyPercent and maximumPercent let none start")
	}
}

// The next task of a service with several capacity providers goes where the
// placer would put it, by those that it has.
func TestExplainServiceOfSeveralProviders(t *testing.T) {
	i := startInstallation(t)
	i.define(t, "web", 0)
	ctx := t.Context()
	for _, name := range []string{"p", "q"} {
		if _, err := i.Client.CreateCapacityProvider(ctx, &ecs.CreateCapacityProviderInput{
			Name: &name, AutoScalingGroupProvider: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("group-" + name)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := i.Client.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{
		Cluster: aws.String("c"), CapacityProviders: []string{"p", "q"}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Client.CreateService(ctx, &ecs.CreateServiceInput{
		Cluster: aws.String("c"), ServiceName: aws.String("web"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(2),
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("p"), Base: 1}, {CapacityProvider: aws.String("q"), Weight: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	i.says(t, "c", "web", "by the capacity provider p: refused: No Container Instances were found")
	svc := i.Store.Snapshot().Service("c", "web")
	err := i.Store.Update(ctx, func(tx *store.Tx) error {
		return put(tx, store.TaskKey("c", strings.Repeat("0", 32)), &fleet.Task{
			Cluster: "c", ID: strings.Repeat("0", 32), Instance: strings.Repeat("1", 32), Family: "web", Revision: 1, LaunchType: types.LaunchTypeEc2, CapacityProvider: "p",
			Group: fleet.ServiceGroup("web"), StartedBy: fleet.DeploymentStarter(svc.Deployment), Serial: 1,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	i.says(t, "c", "web", "by the capacity provider q: refused: No Container Instances were found")
}

func put[V any](tx *store.Tx, k store.Key[V], v *V) error {
	store.Get(tx, k)
	return store.Put(tx, k, v)
}

func TestExplainRefusals(t *testing.T) {
	i := startInstallation(t)
	for _, tt := range []struct{ cluster, what, code, text string }{
		{"c", "none", "InvalidParameterException", "neither the id of a task, nor the name of a service of the cluster c, nor a task definition"},
		{"c", strings.Repeat("0", 32), "InvalidParameterException", "There is no task " + strings.Repeat("0", 32)},
		{"c", "", "InvalidParameterException", ""},
		{"moon", "web", "ClusterNotFoundException", ""},
		{"", "arn:aws:ecs:us-east-1:000000000000:service/c/none", "ServiceNotFoundException", ""},
		{"", "arn:aws:ecs:us-east-1:000000000000:task-definition/none:1", "ClientException", "TaskDefinition not found."},
		{"", "arn:aws:ecs:us-east-1:000000000000:cluster/c", "InvalidParameterException", ""},
		{"", "arn:aws:ecs:eu-west-1:000000000000:service/c/web", "InvalidParameterException", ""},
	} {
		_, err := i.client.Explain(t.Context(), tt.cluster, tt.what)
		if err == nil || !strings.Contains(err.Error(), tt.code) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s in %s: %v; want %s %s", tt.what, tt.cluster, err, tt.code, tt.text)
		}
	}
	host, err := identity.CreateHost(t.Context(), i.Store, i.Sealer, "h")
	if err != nil {
		t.Fatal(err)
	}
	if code, out := call(t, i.API, host, "Explain", map[string]string{"resource": "web"}); code != 400 || out["__type"] != "AccessDeniedException" {
		t.Errorf("a host was told: %d %v", code, out)
	}
}
