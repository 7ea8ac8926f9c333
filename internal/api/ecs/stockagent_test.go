package ecs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// stockCaller sends the bodies of amazon-ecs-agent 1.105.1 as they were seen on
// the wire, signed as that agent signs.
type stockCaller struct {
	t   *testing.T
	api *apitest.API
	key identity.Credentials
}

// call returns the answer of a call that must succeed.
func (c stockCaller) call(operation, format string, args ...any) map[string]any {
	c.t.Helper()
	body := fmt.Appendf(nil, format, args...)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.api.URL+"/", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range map[string]string{
		"User-Agent": "Amazon ECS Agent - v1.105.1 (*a8b3e7d3) (linux; LINUX) (+http://aws.amazon.com/ecs/)", "Content-Type": "application/x-amz-json-1.1",
		"X-Amz-Target": "AmazonEC2ContainerServiceV20141113." + operation, "Amz-Sdk-Invocation-Id": "421548cd-aae5-4ae7-a401-cc6a0c538980", "Amz-Sdk-Request": "attempt=1; max=3",
	} {
		req.Header.Set(k, v)
	}
	sum := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: c.key.AccessKeyID, SecretAccessKey: c.key.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(c.t.Context(), key, req, hex.EncodeToString(sum[:]), "ecs", apitest.Site.Region, time.Now()); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %s: %s", operation, resp.Status, answer)
	}
	var out map[string]any
	if err := json.Unmarshal(answer, &out); err != nil {
		c.t.Fatalf("%s: %s: %v", operation, answer, err)
	}
	return out
}

// register is a registration; extra are members that only some of them have.
func (c stockCaller) register(token, attributes, extra string) map[string]any {
	c.t.Helper()
	return c.call("RegisterContainerInstance", `{"attributes":[%s{"name":"ecs.capability.container-ordering"},{"name":"com.amazonaws.ecs.capability.docker-remote-api.1.32"},`+
		`{"name":"com.amazonaws.ecs.capability.logging-driver.json-file"},{"name":"ecs.capability.container-health-check"},{"name":"ecs.capability.external"},{"name":"ecs.capability.ipv6-only"},`+
		`{"name":"ecs.os-type","value":"linux"},{"name":"ecs.os-family","value":"LINUX"},{"name":"ecs.os-type-detailed","value":"LINUX"},{"name":"ecs.cpu-architecture","value":"x86_64"}],`+
		`"clientToken":%q,"cluster":"stock"%s,"instanceIdentityDocument":"","instanceIdentityDocumentSignature":"",`+
		`"totalResources":[{"integerValue":2048,"name":"CPU","type":"INTEGER"},{"integerValue":24105,"name":"MEMORY","type":"INTEGER"},`+
		`{"name":"PORTS","stringSetValue":["22","2375","2376","51678","51679"],"type":"STRINGSET"},{"name":"PORTS_UDP","stringSetValue":[],"type":"STRINGSET"}]}`,
		attributes, token, extra)["containerInstance"].(map[string]any)
}

// attribute is a registered instance's, as the agent compares it with its own.
func attribute(instance map[string]any, name string) any {
	for _, v := range instance["attributes"].([]any) {
		if a := v.(map[string]any); a["name"] == name {
			return a["value"]
		}
	}
	return "is missing"
}

// TestAStockAgentsCalls is a stock agent's day: it registers, reports tasks, and
// registers once more under the ARN that it has saved.
func TestAStockAgentsCalls(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "stock")
	for family, containers := range map[string][]string{"one": {"m"}, "two": {"m", "n"}} {
		apitest.Define(t, a, family, func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions = nil
			for _, name := range containers {
				in.ContainerDefinitions = append(in.ContainerDefinitions, types.ContainerDefinition{
					Name: aws.String(name), Image: aws.String("busybox"), Memory: aws.Int32(16), Essential: aws.Bool(name == "m"),
				})
			}
		})
	}
	key, err := identity.CreateHost(ctx, a.Store, a.Sealer, "shop-1")
	if err != nil {
		t.Fatal(err)
	}
	agent := stockCaller{t, a, key}

	const token = "5ad0da40-da2d-4528-b1b7-04cfbbd4ee83"
	made := agent.register(token, `{"name":"rack","value":"r1"},`, `,"tags":[{"key":"owner","value":"me"}]`)
	arn := made["containerInstanceArn"].(string)
	// It exits where one that it sent with a value does not come back with it.
	valued := map[string]any{"rack": "r1", "ecs.os-type": "linux", "ecs.os-family": "LINUX", "ecs.os-type-detailed": "LINUX", "ecs.cpu-architecture": "x86_64"}
	for name, want := range valued {
		if got := attribute(made, name); got != want {
			t.Errorf("attribute %s is %v, want %v", name, got, want)
		}
	}
	if again := agent.register(token, `{"name":"rack","value":"r1"},`, `,"tags":[{"key":"owner","value":"me"}]`); again["containerInstanceArn"] != arn {
		t.Errorf("a repetition made %v", again["containerInstanceArn"])
	}
	poll := agent.call("DiscoverPollEndpoint", `{"cluster":"stock","containerInstance":%q,"zoneId":""}`, arn)
	for k, want := range map[string]string{"endpoint": "/acs/", "telemetryEndpoint": "/tcs/", "serviceConnectEndpoint": "/sc/"} {
		if got, _ := poll[k].(string); got != a.URL+want { // http or https: of ws it says "unknown scheme"
			t.Errorf("%s is %q", k, got)
		}
	}
	a.Connect(arn, true)

	start := func(family string) string {
		t.Helper()
		out := apitest.Must[*sdk.RunTaskOutput](t)(c.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("stock"), TaskDefinition: &family}))
		if len(out.Tasks) != 1 {
			t.Fatalf("run: %+v", out.Failures)
		}
		return *out.Tasks[0].TaskArn
	}
	describe := func(task string) types.Task {
		t.Helper()
		return apitest.Must[*sdk.DescribeTasksOutput](t)(c.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("stock"), Tasks: []string{task}})).Tasks[0]
	}
	m, n := strings.Repeat("5", 64), strings.Repeat("6", 64)

	// Two containers, one of them not essential: its end comes in a report of the
	// status that the task has already, where it is named twice.
	two := start("two")
	agent.call("SubmitTaskStateChange", `{"cluster":"stock","containers":[{"containerName":"m","imageDigest":"sha256:7cde","status":"PENDING"}],"reason":"","status":"PENDING","task":%q}`, two)
	agent.call("SubmitTaskStateChange", `{"cluster":"stock","containers":[{"containerName":"m","networkBindings":[{"bindIP":"0.0.0.0","containerPort":80,"hostPort":32768,"protocol":"tcp"},`+
		`{"bindIP":"0.0.0.0","containerPortRange":"7000-7003","hostPortRange":"32769-32772","protocol":"udp"}],"runtimeId":%q,"status":"RUNNING"},{"containerName":"n","runtimeId":%q,"status":"RUNNING"}],`+
		`"pullStartedAt":1795289876.66,"pullStoppedAt":1795289876.703,"reason":"","status":"RUNNING","task":%q}`, m, n, two)
	agent.call("SubmitTaskStateChange", `{"cluster":"stock","containers":[{"containerName":"n","exitCode":4,"runtimeId":%[1]q,"status":"RUNNING"},{"containerName":"n","exitCode":4,"runtimeId":%[1]q,"status":"STOPPED"}],"reason":"","status":"RUNNING","task":%[2]q}`, n, two)
	is := describe(two)
	if *is.LastStatus != "RUNNING" || *is.Containers[0].LastStatus != "RUNNING" || *is.Containers[0].RuntimeId != m || *is.Containers[0].ImageDigest != "sha256:7cde" ||
		*is.Containers[1].LastStatus != "STOPPED" || *is.Containers[1].ExitCode != 4 {
		t.Errorf("%+v", is)
	}
	if b := is.Containers[0].NetworkBindings; len(b) != 2 || *b[0].HostPort != 32768 || *b[1].HostPortRange != "32769-32772" {
		t.Errorf("bindings %+v", b)
	}
	apitest.Must[*sdk.StopTaskOutput](t)(c.StopTask(ctx, &sdk.StopTaskInput{Cluster: aws.String("stock"), Task: &two, Reason: aws.String("enough")}))
	agent.call("SubmitTaskStateChange", `{"cluster":"stock","containers":[{"containerName":"m","exitCode":137,"runtimeId":%q,"status":"STOPPED"}],"executionStoppedAt":1795341721.831,"reason":"","status":"STOPPED","task":%q}`, m, two)
	if is := describe(two); *is.LastStatus != "STOPPED" || is.StopCode != types.TaskStopCodeUserInitiated || *is.StoppedReason != "enough" || *is.Containers[0].ExitCode != 137 {
		t.Errorf("%+v", is)
	}

	// An image that can't be had: the container has the reason, the task none.
	broken := start("one")
	agent.call("SubmitTaskStateChange", `{"cluster":"stock","containers":[{"containerName":"m","reason":"CannotPullImageManifestError: Error response from daemon: manifest unknown","status":"STOPPED"}],"reason":"","status":"STOPPED","task":%q}`, broken)
	if is := describe(broken); is.StopCode != types.TaskStopCodeTaskFailedToStart || *is.StoppedReason != "CannotPullImageManifestError: Error response from daemon: manifest unknown" {
		t.Errorf("%+v", is)
	}

	// What the agent asks for a container that asks for its tags.
	task := start("one")
	for _, r := range []string{arn, task} {
		agent.call("ListTagsForResource", `{"resourceArn":%q}`, r)
	}

	// Started again it says nothing of custom attributes and tags, has another
	// token, and keeps its tasks.
	renewed := agent.register("cb1957bc-c8dd-4aef-9861-f7aed1443e19", "", fmt.Sprintf(`,"containerInstanceArn":%q`, arn))
	if renewed["containerInstanceArn"] != arn || attribute(renewed, "rack") != "r1" || len(renewed["tags"].([]any)) != 1 {
		t.Errorf("renewed: %v", renewed)
	}
	if is := describe(task); *is.LastStatus == "STOPPED" || *is.ContainerInstanceArn != arn {
		t.Errorf("the task is %+v", is)
	}
}
