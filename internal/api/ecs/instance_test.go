package ecs_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// asHost is the context in which a handler serves a host.
func asHost(t *testing.T, a *apitest.API, name string) context.Context {
	t.Helper()
	if _, err := identity.CreateHost(t.Context(), a.Store, a.Sealer, name); err != nil {
		t.Fatal(err)
	}
	return frontdoor.WithCaller(t.Context(), frontdoor.Caller{Principal: identity.Principal{Kind: identity.Host, Name: name, ARN: identity.HostARN(apitest.Site, name)}})
}

func TestRegister(t *testing.T) {
	a := apitest.Start(t)
	s := ecsapi.New(ecsapi.Config{Store: a.Store, Log: a.Log})
	ctx := asHost(t, a, "h")
	register := func(token, arn string, attributes ...types.Attribute) (*types.ContainerInstance, error) {
		in := &ecsapi.RegisterContainerInstanceInput{Attributes: attributes, TotalResources: apitest.Resources(1024, 512)}
		if token != "" {
			in.ClientToken = &token
		}
		if arn != "" {
			in.ContainerInstanceArn = &arn
		}
		out, err := s.RegisterContainerInstance(ctx, in)
		if err != nil {
			return nil, err
		}
		return out.ContainerInstance, nil
	}
	custom := types.Attribute{Name: aws.String("rack"), Value: aws.String("7")}
	linux := types.Attribute{Name: aws.String("ecs.os-type"), Value: aws.String("linux")}
	first := apitest.Must[*types.ContainerInstance](t)(register("t1", "", linux, custom))
	if len(first.Attributes) != 2 || *first.Status != "ACTIVE" || !strings.Contains(*first.ContainerInstanceArn, "/default/") {
		t.Errorf("registered: %+v", first)
	}
	if c := a.Store.Snapshot().Cluster("default"); c == nil {
		t.Error("the default cluster was not made")
	}
	if again := apitest.Must[*types.ContainerInstance](t)(register("t1", "", linux, custom)); *again.ContainerInstanceArn != *first.ContainerInstanceArn {
		t.Error("one clientToken made two instances")
	}
	renewed := apitest.Must[*types.ContainerInstance](t)(register("t2", *first.ContainerInstanceArn, linux))
	if *renewed.ContainerInstanceArn != *first.ContainerInstanceArn || len(renewed.Attributes) != 2 || renewed.Version <= first.Version {
		t.Errorf("renewed: %+v", renewed)
	}
	h := a.Store.Snapshot().Host("h")
	if site := apitest.Site; site.InstanceARN(h.Cluster, h.Instance) != *first.ContainerInstanceArn {
		t.Errorf("bound to %+v", h)
	}

	// Another host can't take it over, neither through the front door nor past it.
	_, err := a.Host("thief").RegisterContainerInstance(t.Context(), &sdk.RegisterContainerInstanceInput{ContainerInstanceArn: first.ContainerInstanceArn, TotalResources: apitest.Resources(1, 1)})
	apitest.WantError[smithy.APIError](t, err, "is not authorized to perform: ecs:RegisterContainerInstance")
	_, err = s.RegisterContainerInstance(asHost(t, a, "thief2"), &ecsapi.RegisterContainerInstanceInput{ContainerInstanceArn: first.ContainerInstanceArn})
	apitest.WantError[*types.InvalidParameterException](t, err, "belongs to another host")
	_, err = s.RegisterContainerInstance(ctx, &ecsapi.RegisterContainerInstanceInput{Cluster: aws.String("none")})
	apitest.WantError[*types.ClientException](t, err, "Cluster not found.")
}

// assign changes what a host is granted.
func assign(t *testing.T, a *apitest.API, name string, change func(*fleet.Host)) {
	t.Helper()
	if _, err := identity.ChangeHost(t.Context(), a.Store, name, change); err != nil {
		t.Fatal(err)
	}
}

// A machine that registers as a new instance replaces its old one. The old one's tasks
// are lost, because no host will ever report on them.
func TestSupersede(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.CreateCluster(t, a, "other")
	old, host := a.Register("h", "c")
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	var arns []string
	for range 3 { // more than fit into one transaction
		out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f"), Count: aws.Int32(10)}))
		for _, task := range out.Tasks {
			arns = append(arns, *task.TaskArn)
		}
	}
	assign(t, a, "h", func(h *fleet.Host) { h.Assigned = "other" })
	out := apitest.Must[*sdk.RegisterContainerInstanceOutput](t)(host.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{Cluster: aws.String("other"), TotalResources: apitest.Resources(1, 1)}))
	if *out.ContainerInstance.ContainerInstanceArn == old {
		t.Fatal("the old instance was given again")
	}
	was := apitest.Must[*sdk.DescribeContainerInstancesOutput](t)(c.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: aws.String("c"), ContainerInstances: []string{old}})).ContainerInstances[0]
	if *was.Status != "INACTIVE" || was.PendingTasksCount != 0 {
		t.Errorf("superseded: %+v", was)
	}
	tasks := apitest.Must[*sdk.DescribeTasksOutput](t)(c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: arns}))
	for _, task := range tasks.Tasks {
		if *task.LastStatus != "STOPPED" || !strings.Contains(*task.StoppedReason, "registered anew") {
			t.Errorf("task of a superseded instance: %s %s", *task.LastStatus, aws.ToString(task.StoppedReason))
		}
	}
	_, err := host.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{Cluster: aws.String("c"), ContainerInstanceArn: &old, TotalResources: apitest.Resources(1, 1)})
	apitest.WantError[smithy.APIError](t, err, "because the host h belongs to the cluster other")
	_, err = host.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{
		Cluster: aws.String("other"), ContainerInstanceArn: aws.String(apitest.Site.InstanceARN("other", strings.Repeat("0", 32))), TotalResources: apitest.Resources(1, 1)})
	apitest.WantError[*types.InvalidParameterException](t, err, "This host is the container instance")
	apitest.Must[*sdk.DeleteClusterOutput](t)(c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")}))
}

func TestDeregister(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	deregister := func(arn string, force bool) (*types.ContainerInstance, error) {
		out, err := c.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{Cluster: aws.String("c"), ContainerInstance: &arn, Force: &force})
		if err != nil {
			return nil, err
		}
		return out.ContainerInstance, nil
	}
	run := func(on string) []string {
		t.Helper()
		out := apitest.Must[*sdk.StartTaskOutput](t)(c.StartTask(ctx, &sdk.StartTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f"), ContainerInstances: []string{on, on}}))
		return []string{*out.Tasks[0].TaskArn, *out.Tasks[1].TaskArn}
	}

	idle, _ := a.Register("idle", "c")
	if out := apitest.Must[*types.ContainerInstance](t)(deregister(idle, false)); *out.Status != "INACTIVE" {
		t.Errorf("idle: %s", *out.Status)
	}
	if l := apitest.Must[*sdk.ListContainerInstancesOutput](t)(c.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Cluster: aws.String("c")})); len(l.ContainerInstanceArns) != 0 {
		t.Errorf("listed: %v", l.ContainerInstanceArns)
	}

	// Connected: its tasks are stopped, and the last one's report ends it.
	busy, host := a.Register("busy", "c")
	tasks := run(busy)
	_, err := deregister(busy, false)
	apitest.WantError[*types.InvalidParameterException](t, err, "Found running tasks on the instance.")
	if out := apitest.Must[*types.ContainerInstance](t)(deregister(busy, true)); *out.Status != "DEREGISTERING" {
		t.Errorf("forced, connected: %s", *out.Status)
	}
	_, err = c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f")})
	apitest.WantError[*types.InvalidParameterException](t, err, "No Container Instances were found")
	status := func(arn string) string {
		return string(a.Store.Snapshot().Instance("c", arn[len(arn)-fleet.IDLength:]).Status)
	}
	for i, task := range tasks {
		apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: &task, Status: aws.String("STOPPED")}))
		if want := []string{"DEREGISTERING", "INACTIVE"}[i]; status(busy) != want {
			t.Errorf("after %d reports: %s", i+1, status(busy))
		}
	}

	// Gone: the caller says so.
	gone, _ := a.Register("gone", "c")
	tasks = run(gone)
	a.Connect(gone, false)
	if out := apitest.Must[*types.ContainerInstance](t)(deregister(gone, true)); *out.Status != "INACTIVE" {
		t.Errorf("forced, gone: %s", *out.Status)
	}
	d := apitest.Must[*sdk.DescribeTasksOutput](t)(c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: tasks}))
	for _, task := range d.Tasks {
		if *task.LastStatus != "STOPPED" {
			t.Errorf("task of a host that is gone: %s", *task.LastStatus)
		}
	}
}

func TestHostsReportOnTheirOwnOnly(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	mine, host := a.Register("mine", "c")
	_, other := a.Register("other", "c")
	task := apitest.Must[*sdk.StartTaskOutput](t)(c.StartTask(ctx, &sdk.StartTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f"), ContainerInstances: []string{mine}})).Tasks[0].TaskArn
	in := &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: task, Status: aws.String("STOPPED")}
	_, err := other.SubmitTaskStateChange(ctx, in)
	apitest.WantError[smithy.APIError](t, err, "is not authorized to perform: ecs:SubmitTaskStateChange")
	// Past the authorizer the handler says the same.
	s := ecsapi.New(ecsapi.Config{Store: a.Store, Log: a.Log})
	_, err = s.SubmitTaskStateChange(asHost(t, a, "third"), in)
	apitest.WantError[*types.AccessDeniedException](t, err, "is not authorized to perform: ecs:SubmitTaskStateChange on resource: "+*task)
	if got := a.Store.Snapshot().Counts("c"); got.Pending != 1 {
		t.Errorf("a foreign report had an effect: %+v", got)
	}
	for _, call := range []func() error{
		func() error {
			_, err := host.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f")})
			return err
		},
		func() error { _, err := host.ListTasks(ctx, &sdk.ListTasksInput{Cluster: aws.String("c")}); return err },
		func() error {
			_, err := host.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("c"), Task: task})
			return err
		},
		func() error {
			_, err := host.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("x")})
			return err
		},
	} {
		apitest.WantError[smithy.APIError](t, call(), "is not authorized to perform")
	}
	_, err = host.CreateCluster(ctx, &sdk.CreateClusterInput{})
	apitest.WantError[smithy.APIError](t, err, "because the host mine belongs to the cluster c")
	_, err = a.Host("new").CreateCluster(ctx, &sdk.CreateClusterInput{CapacityProviders: []string{"FARGATE"}})
	apitest.WantError[*types.AccessDeniedException](t, err, "by its name alone")
	apitest.Must[*sdk.CreateClusterOutput](t)(a.Host("new").CreateCluster(ctx, &sdk.CreateClusterInput{}))

	// Its own, also by the short forms that agents use, and one long forgotten.
	for _, ref := range []string{*task, apitest.Site.TaskARN("c", strings.Repeat("0", 32)), "arn:aws:ecs:us-east-1:000000000000:task/" + strings.Repeat("0", 32)} {
		apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: &ref, Status: aws.String("RUNNING")}))
	}
	apitest.Must[*sdk.SubmitContainerStateChangeOutput](t)(host.SubmitContainerStateChange(ctx, &sdk.SubmitContainerStateChangeInput{
		Cluster: aws.String("c"), Task: task, ContainerName: aws.String("a"), Status: aws.String("RUNNING"), RuntimeId: aws.String("r"),
	}))
	d := apitest.Must[*sdk.DescribeTasksOutput](t)(c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{*task}})).Tasks[0]
	if *d.LastStatus != "RUNNING" || *d.Containers[0].RuntimeId != "r" || d.Connectivity != types.ConnectivityConnected {
		t.Errorf("reported: %+v", d)
	}
	p := apitest.Must[*sdk.DiscoverPollEndpointOutput](t)(host.DiscoverPollEndpoint(ctx, &sdk.DiscoverPollEndpointInput{Cluster: aws.String("c"), ContainerInstance: &mine}))
	if *p.Endpoint != a.URL+"/acs/" || *p.TelemetryEndpoint != a.URL+"/tcs/" {
		t.Errorf("endpoints %s, %s", *p.Endpoint, *p.TelemetryEndpoint)
	}
}
