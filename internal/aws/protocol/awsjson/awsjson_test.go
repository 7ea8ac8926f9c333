package awsjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	_ "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/aws/protocol"
)

func ptr[T any](v T) *T { return &v }

func TestMarshal(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   any
		want string
	}{
		{"zeros are written", types.Deployment{}, `{"desiredCount":0,"failedTasks":0,"pendingCount":0,"runningCount":0}`},
		{"nil lists are left out, empty ones are not", types.Cluster{Tags: []types.Tag{}},
			`{"activeServicesCount":0,"pendingTasksCount":0,"registeredContainerInstancesCount":0,"runningTasksCount":0,"tags":[]}`},
		{"maps in order", types.ContainerDefinition{DockerLabels: map[string]string{"b": "2", "a": "1"}},
			`{"cpu":0,"dockerLabels":{"a":"1","b":"2"}}`},
		{"floats and enums", types.Resource{Name: ptr("CPU"), IntegerValue: 2048, DoubleValue: 0.5},
			`{"doubleValue":0.5,"integerValue":2048,"longValue":0,"name":"CPU"}`},
		{"whole floats", types.Resource{}, `{"doubleValue":0.0,"integerValue":0,"longValue":0}`},
		{"times", types.Task{CreatedAt: ptr(time.Unix(1700000000, 120_999_999)), StartedAt: ptr(time.Unix(0, 0)), StoppedAt: ptr(time.Unix(-2, 5e8))},
			`{"createdAt":1700000000.12,"enableExecuteCommand":false,"startedAt":0,"stoppedAt":-1.5,"version":0}`},
		{"a union", types.ServiceConnectServiceResource{}, `{}`},
		{"escapes", types.Tag{Key: ptr("a\"\\\n<\xff>")}, `{"key":"a\"\\\n<` + "\ufffd" + `>"}`},
		{"metadata isn't there", &ecs.ListTasksOutput{TaskArns: []string{}}, `{"taskArns":[]}`},
		{"nil", (*ecs.ListTasksOutput)(nil), `{}`},
		{"an error", &types.ConflictException{Message: ptr("m"), ErrorCodeOverride: ptr("X"), ResourceIds: []string{"r"}}, `{"message":"m","resourceIds":["r"]}`},
		{"ours", struct {
			InstallationID string `json:"installationId"`
			Blob           []byte
			hidden         int
			Skipped        string `json:"-"`
			At             time.Time
			NaN            float64
		}{InstallationID: "x", Blob: []byte{1, 2}, NaN: math.NaN()}, `{"installationId":"x","blob":"AQI=","naN":"NaN"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Marshal(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !json.Valid(got) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

func TestUnmarshal(t *testing.T) {
	type ours struct {
		InstallationID string `json:"installationId"`
		Blob           []byte
		Map            map[string][]int64
		Small          int8
		At             time.Time
		F              *float64
	}
	for _, tc := range []struct{ name, in, want string }{
		{"unknown members", `{"x":{"y":[1,{"z":null}]},"small":3}`, `{"installationId":"","small":3}`},
		{"null is absent", `{"installationId":null,"blob":null,"map":null,"f":null,"at":null}`, `{"installationId":"","small":0}`},
		{"escapes", `{"installation\u0049d":"a\u00e9\n"}`, `{"installationId":"aé\n","small":0}`},
		{"names are exact", `{"InstallationId":"a"}`, `{"installationId":"","small":0}`},
		{"the last wins", `{"small":1,"small":2,"map":{"a":[1]},"map":{"b":[2]}}`, `{"installationId":"","map":{"b":[2]},"small":2}`},
		{"whole floats are integers", `{"small":1e1}`, `{"installationId":"","small":10}`},
		{"epoch", `{"at":1700000000.123}`, `{"installationId":"","small":0,"at":1700000000.123}`},
		{"epoch with an exponent", `{"at":1.7000000005e9}`, `{"installationId":"","small":0,"at":1700000000.5}`},
		{"RFC 3339", `{"at":"2023-11-14T23:13:20.5+01:00"}`, `{"installationId":"","small":0,"at":1700000000.5}`},
		{"before 1970", `{"at":-0.5}`, `{"installationId":"","small":0,"at":-0.5}`},
		{"floats", `{"f":"-Infinity"}`, `{"installationId":"","small":0,"f":"-Infinity"}`},
		{"white space", " {\n} \n", `{"installationId":"","small":0}`},
		{"empty stays empty", `{"blob":"","map":{}}`, `{"installationId":"","blob":"","map":{},"small":0}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var v ours
			if err := Unmarshal([]byte(tc.in), &v); err != nil {
				t.Fatal(err)
			}
			got, err := Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal([]byte(tc.want), &b)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b, a); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnmarshalErrors(t *testing.T) {
	deep := strings.Repeat(`{"hookDetails":`, 1) + strings.Repeat("[", protocol.MaxDepth) + strings.Repeat("]", protocol.MaxDepth) + "}"
	for _, tc := range []struct {
		into any
		in   string
		want string
	}{
		{&ecs.RunTaskInput{}, `{"count":"1"}`, "count: STRING_VALUE can not be converted to an Integer"},
		{&ecs.RunTaskInput{}, `{"count":1.5}`, "count: 1.5 is not an Integer"},
		{&ecs.RunTaskInput{}, `{"count":3000000000}`, "count: 3000000000 is out of range"},
		{&ecs.RunTaskInput{}, `{"count":1e99}`, "count: 1e99 is out of range"},
		{&ecs.RunTaskInput{}, `{"enableExecuteCommand":1}`, "enableExecuteCommand: NUMBER_VALUE can not be converted to a Boolean"},
		{&ecs.RunTaskInput{}, `{"cluster":true}`, "cluster: TRUE_VALUE can not be converted to a String"},
		{&ecs.RunTaskInput{}, `{"cluster":{}}`, "cluster: start of structure or map found where a String is expected"},
		{&ecs.RunTaskInput{}, `{"overrides":[]}`, "overrides: start of list found where a Structure is expected"},
		{&ecs.RunTaskInput{}, `{"overrides":{"containerOverrides":[{},{"environment":[{"name":1}]}]}}`,
			"overrides.containerOverrides[1].environment[0].name: NUMBER_VALUE can not be converted to a String"},
		{&ecs.DescribeTasksInput{}, `{"tasks":[null]}`, "tasks[0]: null where a String is expected"},
		{&ecs.RunTaskInput{}, `[]`, "start of list found where a Structure is expected"},
		{&ecs.RunTaskInput{}, `null`, "null where a Structure is expected"},
		{&ecs.RunTaskInput{}, ``, "malformed JSON: unexpected end"},
		{&ecs.RunTaskInput{}, `{"cluster":"a"`, "malformed JSON: unexpected EOF at byte 14"},
		{&ecs.RunTaskInput{}, `{"cluster":"a",}`, "malformed JSON"},
		{&ecs.RunTaskInput{}, `{"cluster":"a" "b"}`, "malformed JSON"},
		{&ecs.RunTaskInput{}, `{"cluster":"` + "\xff" + `"}`, "malformed JSON"},
		{&ecs.RunTaskInput{}, `{"cluster":"\ud800"}`, "malformed JSON"},
		{&ecs.RunTaskInput{}, `{} {}`, "something follows the end of the document"},
		{&ecs.RunTaskInput{}, `{}x`, "malformed JSON"},
		{&types.DeploymentLifecycleHook{}, deep, "hookDetails: nested more than 64 deep"},
		{&types.Task{}, `{"createdAt":"yesterday"}`, `createdAt: "yesterday" is not a Timestamp`},
		{&types.Task{}, `{"createdAt":1e15}`, "createdAt: 1e15 is not a Timestamp"},
		{&types.Task{}, `{"createdAt":999999999999}`, "createdAt: the year 33658 is out of range"},
		{&types.ServiceConnectConfiguration{}, `{"accessLogConfiguration":1}`, "accessLogConfiguration: NUMBER_VALUE can not be converted to a Structure"},
		{&ecs.CreateGatewayInput{}, `{"configuration":{}}`, "configuration: GatewayConfiguration must have one member, not none"},
		{&ecs.CreateGatewayInput{}, `{"configuration":{"x":1}}`, `configuration: GatewayConfiguration has no member "x"`},
		{&ecs.CreateGatewayInput{}, `{"configuration":{"hostSharedAlb":{},"hostSharedAlb":{}}}`, "configuration: GatewayConfiguration must have one member, not both"},
		{&struct{ Blob []byte }{}, `{"blob":"%"}`, "blob: not base64"},
		{&ecs.RegisterTaskDefinitionInput{}, `{"containerDefinitions":[` + strings.Repeat("{},", 200_000) + `{}]}`,
			"the document has too many elements"},
		{&ecs.RunTaskInput{}, strings.Repeat(" ", MaxSize+1), "larger than"},
	} {
		err := Unmarshal([]byte(tc.in), tc.into)
		var typed *protocol.Error
		if !errors.As(err, &typed) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.60s: got %v (%T), want %s", tc.in, err, err, tc.want)
		}
	}
}

func TestUnmarshalNeedsPointer(t *testing.T) {
	for _, v := range []any{nil, ecs.RunTaskInput{}, (*ecs.RunTaskInput)(nil)} {
		if err := Unmarshal([]byte("{}"), v); err == nil {
			t.Errorf("into %T: no error", v)
		}
	}
}

func TestTypesWithoutForm(t *testing.T) {
	type inner struct{ A int }
	for _, v := range []any{
		struct{ C chan int }{},
		struct{ M map[int]string }{},
		struct{ E error }{},
		struct{ U uint }{},
		struct{ inner }{},
		struct {
			A int
			B int `json:"a"`
		}{},
		nil,
	} {
		if b, err := Marshal(v); err == nil {
			t.Errorf("%T became %s", v, b)
		}
	}
}

type tree struct {
	Name     string
	Children []tree
	Next     *tree
	ByName   map[string]*tree
}

func TestRecursion(t *testing.T) {
	v := tree{Name: "a", Children: []tree{{Name: "b"}}, Next: &tree{Name: "c", ByName: map[string]*tree{"d": {Name: "d"}}}}
	b, err := Marshal(&v)
	if err != nil {
		t.Fatal(err)
	}
	var got tree
	if err := Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v, got); diff != "" {
		t.Error(diff)
	}
	v.Next.Next = &v
	if _, err := Marshal(&v); err == nil {
		t.Error("a cycle was encoded")
	}
	deep := strings.Repeat(`{"next":`, protocol.MaxDepth) + "{}" + strings.Repeat("}", protocol.MaxDepth)
	if err := Unmarshal([]byte(deep), new(tree)); err == nil {
		t.Error("too deep a document was decoded")
	}
}

func TestDocumentKeepsWhatWasSent(t *testing.T) {
	const in = `{"hookDetails":{"big":12345678901234567890.5,"empty":{},"list":[],"null":null,"t":true}}`
	var h types.DeploymentLifecycleHook
	if err := Unmarshal([]byte(in), &h); err != nil {
		t.Fatal(err)
	}
	b, err := Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != in {
		t.Errorf("got  %s\nwant %s", b, in)
	}
	var v struct {
		T    bool     `document:"t"`
		List []string `document:"list"`
	}
	if err := h.HookDetails.UnmarshalSmithyDocument(&v); err != nil || !v.T {
		t.Errorf("decoded to %+v: %v", v, err)
	}
}

// A plan is built once, even if many first uses come at the same time.
func TestConcurrentFirstUse(t *testing.T) {
	type fresh struct {
		Self *fresh
		Task types.TaskDefinition
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			v := fresh{Self: &fresh{Task: types.TaskDefinition{Family: ptr(fmt.Sprint(i))}}}
			b, err := Marshal(v)
			var got fresh
			if err = errors.Join(err, Unmarshal(b, &got)); err != nil || *got.Self.Task.Family != fmt.Sprint(i) {
				t.Errorf("%d: %v: %s", i, err, b)
			}
		})
	}
	wg.Wait()
}
