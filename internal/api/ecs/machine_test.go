package ecs_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Every instance has the id of a machine, as on ECS: tools look their targets up
// by it. It stays the machine's, however often that registers.
func TestMachines(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	register := func(c *sdk.Client, change func(*sdk.RegisterContainerInstanceInput)) (arn, id string) {
		t.Helper()
		in := &sdk.RegisterContainerInstanceInput{Cluster: aws.String("c"), TotalResources: apitest.Resources(1024, 1024)}
		change(in)
		out := apitest.Must[*sdk.RegisterContainerInstanceOutput](t)(c.RegisterContainerInstance(t.Context(), in)).ContainerInstance
		return *out.ContainerInstanceArn, aws.ToString(out.Ec2InstanceId)
	}
	external := func(in *sdk.RegisterContainerInstanceInput) {
		in.Attributes = []types.Attribute{{Name: aws.String(fleet.AttributeExternal)}}
	}
	h := a.Host("shop-1")
	arn, id := register(h, external)
	if !regexp.MustCompile(`^mi-[0-9a-f]{17}$`).MatchString(id) {
		t.Errorf("an external machine is %q", id)
	}
	if _, again := register(h, func(in *sdk.RegisterContainerInstanceInput) { in.ContainerInstanceArn = &arn }); again != id {
		t.Errorf("once more under its ARN: %q", again)
	}
	if anew, again := register(h, external); anew == arn || again != id {
		t.Errorf("anew: %q as %s", again, anew)
	}
	if _, other := register(a.Host("shop-2"), external); other == id {
		t.Error("two machines have one id")
	}
	if _, other := register(a.Host("shop-3"), func(*sdk.RegisterContainerInstanceInput) {}); !regexp.MustCompile(`^i-[0-9a-f]{17}$`).MatchString(other) {
		t.Errorf("a machine that is not external is %q", other)
	}
	// What a host says of itself is an id or nothing.
	for said, ok := range map[string]bool{"i-0abc": true, "mi-0123456789abcdef0": true, "\x1b[2J": false, "i-1; reboot": false, "": false} {
		_, id := register(a.Host("said-"+fleet.NewID()[:8]), func(in *sdk.RegisterContainerInstanceInput) {
			in.Attributes = []types.Attribute{{Name: aws.String("ecs.instance-id"), Value: &said}}
		})
		if ok && id != said || !ok && !regexp.MustCompile(`^i-[0-9a-f]{17}$`).MatchString(id) {
			t.Errorf("told %q: %q", said, id)
		}
	}
	for document, want := range map[string]string{
		`{"accountId":"111111111111","instanceId":"i-0123456789abcdef0","region":"us-east-1"}`: "i-0123456789abcdef0",
		`{"instanceId":"$(reboot)"}`: "", `{`: "", `{"instanceId":7}`: "",
	} {
		got, id := register(a.Host("doc-"+fleet.NewID()[:8]), func(in *sdk.RegisterContainerInstanceInput) { in.InstanceIdentityDocument = &document })
		if want != "" && id != want || want == "" && !regexp.MustCompile(`^i-[0-9a-f]{17}$`).MatchString(id) {
			t.Errorf("%s: %q", document, id)
		}
		list := apitest.Must[*sdk.ListContainerInstancesOutput](t)(a.Client.ListContainerInstances(t.Context(), &sdk.ListContainerInstancesInput{Cluster: aws.String("c"), Filter: aws.String("ec2InstanceId == " + id)}))
		if len(list.ContainerInstanceArns) != 1 || list.ContainerInstanceArns[0] != got {
			t.Errorf("%s: %q finds %v", document, id, list.ContainerInstanceArns)
		}
	}
}

// An instance that an elder server has written has an id too, and keeps it.
func TestMachineOfAnOldRecord(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	id := fleet.NewID()
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		k := store.InstanceKey("c", id)
		store.Get(tx, k)
		return store.Put(tx, k, &fleet.Instance{Cluster: "c", ID: id, Status: fleet.InstanceActive, Registered: fleet.Capacity{CPU: 1024, Memory: 1024}, Version: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	describe := func() string {
		out := apitest.Must[*sdk.DescribeContainerInstancesOutput](t)(a.Client.DescribeContainerInstances(t.Context(), &sdk.DescribeContainerInstancesInput{Cluster: aws.String("c"), ContainerInstances: []string{id}}))
		return aws.ToString(out.ContainerInstances[0].Ec2InstanceId)
	}
	was := describe()
	if !regexp.MustCompile(`^i-[0-9a-f]{17}$`).MatchString(was) {
		t.Errorf("it is %q", was)
	}
	apitest.Must[*sdk.RegisterContainerInstanceOutput](t)(a.Client.RegisterContainerInstance(t.Context(), &sdk.RegisterContainerInstanceInput{
		Cluster: aws.String("c"), ContainerInstanceArn: aws.String(apitest.Site.InstanceARN("c", id)), TotalResources: apitest.Resources(1024, 1024),
		Attributes: []types.Attribute{{Name: aws.String(fleet.AttributeExternal)}},
	}))
	if is := describe(); is != was {
		t.Errorf("after a registration it is %q, not %q", is, was)
	}
}

// What runs on an instance stays known while its agent is away, to the cluster
// query language too.
func TestVersionsStay(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	out := apitest.Must[*sdk.RegisterContainerInstanceOutput](t)(a.Host("h").RegisterContainerInstance(t.Context(), &sdk.RegisterContainerInstanceInput{
		Cluster: aws.String("c"), TotalResources: apitest.Resources(1024, 1024),
		VersionInfo: &types.VersionInfo{AgentVersion: aws.String("1.105.1"), AgentHash: aws.String("8dfceca"), DockerVersion: aws.String("20.10.24")},
	})).ContainerInstance
	if v := out.VersionInfo; aws.ToString(v.AgentVersion) != "1.105.1" || aws.ToString(v.AgentHash) != "8dfceca" || aws.ToString(v.DockerVersion) != "20.10.24" || out.AgentConnected {
		t.Errorf("registered: %+v", out)
	}
	list := apitest.Must[*sdk.ListContainerInstancesOutput](t)(a.Client.ListContainerInstances(t.Context(), &sdk.ListContainerInstancesInput{Cluster: aws.String("c"), Filter: aws.String("agentVersion >= 1.105.0 and agentConnected == false")}))
	if len(list.ContainerInstanceArns) != 1 {
		t.Errorf("listed: %v", list.ContainerInstanceArns)
	}
}

// A task was not connected before it was there.
func TestConnectivityAt(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	arn, host := a.Register("h", "c")
	err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		k := store.SessionKey("c", arn[strings.LastIndexByte(arn, '/')+1:])
		s := *store.Get(tx, k)
		s.ConnectedAt = time.Now().UTC().Add(-time.Hour)
		return store.Put(tx, k, &s)
	})
	if err != nil {
		t.Fatal(err)
	}
	run := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(t.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f")}))
	apitest.Must[*sdk.SubmitTaskStateChangeOutput](t)(host.SubmitTaskStateChange(t.Context(), &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: run.Tasks[0].TaskArn, Status: aws.String("RUNNING"),
		Containers: []types.ContainerStateChange{{ContainerName: aws.String("a"), Status: aws.String("RUNNING")}}}))
	out := apitest.Must[*sdk.DescribeTasksOutput](t)(a.Client.DescribeTasks(t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{*run.Tasks[0].TaskArn}}))
	if task := out.Tasks[0]; task.ConnectivityAt == nil || !task.ConnectivityAt.Equal(*task.CreatedAt) {
		t.Errorf("connected at %v, created at %s", task.ConnectivityAt, task.CreatedAt)
	}
}
