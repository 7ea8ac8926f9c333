package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/sample/image"
)

// answerLimit is how soon a refusal must come, even on a loaded machine. It is less
// than any time for which a call waits.
const answerLimit = 5 * time.Second

// refusal is a raw request and its expected error.
type refusal struct {
	name      string
	target    string
	body      string
	sign      func(*http.Request, []byte) // nil: unsigned
	wantType  string
	wantWords []string
}

// TestRawRefusals sends requests that no SDK would send.
func TestRawRefusals(t *testing.T) {
	i := newInstallation(t)
	i.up("--no-sample")
	admin := i.admin()
	signer := sigv4.Signer{AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey, Region: admin.Region, Service: "ecs"}
	with := func(change func(*sigv4.Signer)) func(*http.Request, []byte) {
		s := signer
		change(&s)
		return s.Sign
	}
	list := ecsmodel.Model.Shape + ".ListClusters"
	for _, r := range []refusal{
		{"unsigned", list, "{}", nil, "MissingAuthenticationToken", nil},
		{"wrong secret", list, "{}", with(func(s *sigv4.Signer) { s.SecretAccessKey = "wrong" }), "InvalidSignatureException", nil},
		{"unknown key", list, "{}", with(func(s *sigv4.Signer) { s.AccessKeyID = "AKIAUNKNOWNUNKNOWN00" }), "UnrecognizedClientException", nil},
		{"expired", list, "{}", with(func(s *sigv4.Signer) { s.Now = func() time.Time { return time.Now().Add(-time.Hour) } }), "InvalidSignatureException", []string{"expired"}},
		{"another region", list, "{}", with(func(s *sigv4.Signer) { s.Region = "eu-west-1" }), "InvalidSignatureException", []string{admin.Region}},
		{"unknown operation", ecsmodel.Model.Shape + ".MakeCoffee", "{}", signer.Sign, "UnknownOperationException", []string{"MakeCoffee"}},
		{"unserved operation", ecsmodel.Model.Shape + ".CreateTaskSet", "{}", signer.Sign, "", []string{"CreateTaskSet"}},
		{"unknown service", "DynamoDB_20120810.ListTables", "{}", with(func(s *sigv4.Signer) { s.Service = "dynamodb" }), "", []string{"dynamodb", "ListTables"}},
		{"malformed JSON", list, `{"maxResults":`, signer.Sign, "SerializationException", nil},
		{"wrong type", list, `{"maxResults":"many"}`, signer.Sign, "SerializationException", []string{"maxResults"}},
		{"2 MB", list, `{"nextToken":"` + strings.Repeat("x", 2<<20) + `"}`, signer.Sign, "", []string{"1048576"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			r.check(t, admin)
		})
	}
	if _, err := client.New(admin).ECS.ListClusters(t.Context(), &ecs.ListClustersInput{}); err != nil {
		t.Errorf("the server after all that: %v", err)
	}
}

func (r refusal) check(t *testing.T, admin local.Admin) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*answerLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, admin.Endpoint+"/", bytes.NewReader([]byte(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", r.target)
	if r.sign != nil {
		r.sign(req, []byte(r.body))
	}
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > answerLimit {
		t.Errorf("answered after %s", took)
	}
	var got struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("answer %s: %v", body, err)
	}
	if resp.StatusCode < 400 || resp.StatusCode >= 500 || resp.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("status %d, request id %q", resp.StatusCode, resp.Header.Get("X-Amzn-Requestid"))
	}
	if got.Message == "" || r.wantType != "" && !strings.HasPrefix(got.Type, r.wantType) {
		t.Errorf("error %q: %q, want %s", got.Type, got.Message, r.wantType)
	}
	for _, w := range r.wantWords {
		if !strings.Contains(got.Message, w) {
			t.Errorf("%s: %q does not name %q", got.Type, got.Message, w)
		}
	}
	t.Logf("%d %s: %s", resp.StatusCode, got.Type, got.Message)
}

// TestRefusedTasks asks for impossible tasks, and checks that nothing of them stays
// behind.
func TestRefusedTasks(t *testing.T) {
	i := newInstallation(t)
	i.up()
	api := client.New(i.admin())
	defer api.Close()
	ctx := t.Context()
	_, text, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	define := func(family string, memory int32, ports ...types.PortMapping) {
		t.Helper()
		_, err := api.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: &family,
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String(image.NameFor(i.admin().InstallationID)),
				Memory: &memory, PortMappings: ports}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	define("huge", 1<<30)
	define("port", 32, types.PortMapping{ContainerPort: aws.Int32(8080), HostPort: aws.Int32(int32(port))})
	before := i.containers()

	within := func(call func() error) error {
		t.Helper()
		begun := time.Now()
		err := call()
		if took := time.Since(begun); took > answerLimit {
			t.Errorf("answered after %s", took)
		}
		return err
	}
	run := func(in *ecs.RunTaskInput) (out *ecs.RunTaskOutput, err error) {
		t.Helper()
		err = within(func() error { out, err = api.ECS.RunTask(ctx, in); return err })
		return out, err
	}

	_, err = run(&ecs.RunTaskInput{Cluster: aws.String("nowhere"), TaskDefinition: aws.String("huge")})
	var noCluster *types.ClusterNotFoundException
	if !errors.As(err, &noCluster) {
		t.Errorf("unknown cluster: %v", err)
	}
	_, err = run(&ecs.RunTaskInput{TaskDefinition: aws.String("unheard-of")})
	var apiErr smithy.APIError
	if !errors.As(err, &apiErr) || apiErr.ErrorCode() != "ClientException" {
		t.Errorf("unknown task definition: %v", err)
	}
	out, err := run(&ecs.RunTaskInput{TaskDefinition: aws.String("huge")})
	if err := failedWith(out, err, 0, "RESOURCE:MEMORY"); err != nil {
		t.Errorf("memory larger than any host: %v", err)
	}
	out, err = run(&ecs.RunTaskInput{TaskDefinition: aws.String("port"), Count: aws.Int32(2)})
	if err := failedWith(out, err, 1, "RESOURCE:PORTS"); err != nil {
		t.Fatalf("two tasks of one call that want one port: %v", err)
	}
	holder := *out.Tasks[0].TaskArn
	if d := aws.ToString(out.Failures[0].Detail); !strings.Contains(d, text) || !strings.Contains(d, holder[strings.LastIndexByte(holder, '/')+1:]) {
		t.Errorf("the failure's detail names neither port %s nor its holder %s: %q", text, holder, d)
	}
	out, err = run(&ecs.RunTaskInput{TaskDefinition: aws.String("port")})
	if err := failedWith(out, err, 0, "RESOURCE:PORTS"); err != nil {
		t.Errorf("another task that wants the port: %v", err)
	}

	if _, err := api.ECS.StopTask(ctx, &ecs.StopTaskInput{Task: &holder}); err != nil {
		t.Fatal(err)
	}
	if err := ecs.NewTasksStoppedWaiter(api.ECS, func(o *ecs.TasksStoppedWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second/5, time.Second }).
		Wait(ctx, &ecs.DescribeTasksInput{Tasks: []string{holder}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	// The refused calls left no task, and when the holder is gone, no container.
	tasks, err := api.ECS.ListTasks(ctx, &ecs.ListTasksInput{DesiredStatus: types.DesiredStatusStopped})
	if err != nil || len(tasks.TaskArns) != 1 {
		t.Errorf("stopped tasks %v, %v: want the port's holder alone", tasks, err)
	}
	if after := i.containers(); strings.Join(before, " ") != strings.Join(after, " ") {
		t.Errorf("containers %v, then %v", before, after)
	}
}

// failedWith checks that a call placed that many tasks and failed the others for one
// reason.
func failedWith(out *ecs.RunTaskOutput, err error, placed int, reason string) error {
	switch {
	case err != nil:
		return err
	case len(out.Tasks) != placed:
		return fmt.Errorf("%d tasks placed", len(out.Tasks))
	case len(out.Failures) == 0:
		return errors.New("no failures")
	case aws.ToString(out.Failures[0].Reason) != reason:
		return fmt.Errorf("failure %s %s", aws.ToString(out.Failures[0].Reason), aws.ToString(out.Failures[0].Detail))
	}
	return nil
}
