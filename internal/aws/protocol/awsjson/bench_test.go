package awsjson

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
)

// tenTasks returns an answer of DescribeTasks for ten tasks of two containers each.
func tenTasks() *ecs.DescribeTasksOutput {
	const arn = "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef"
	at := ptr(time.UnixMilli(1_700_000_000_123).UTC())
	container := types.Container{
		ContainerArn: ptr(arn + "/c"), TaskArn: ptr(arn), Name: ptr("web"), Image: ptr("registry.example/web:1.2.3"), LastStatus: ptr("RUNNING"),
		RuntimeId: ptr("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), HealthStatus: types.HealthStatusHealthy, Cpu: ptr("256"), Memory: ptr("512"),
		NetworkBindings:   []types.NetworkBinding{{BindIP: ptr("0.0.0.0"), ContainerPort: ptr[int32](80), HostPort: ptr[int32](32768), Protocol: types.TransportProtocolTcp}},
		NetworkInterfaces: []types.NetworkInterface{},
	}
	task := types.Task{
		TaskArn: ptr(arn), ClusterArn: ptr(arn), TaskDefinitionArn: ptr(arn), ContainerInstanceArn: ptr(arn), Attachments: []types.Attachment{},
		Containers: []types.Container{container, container}, LastStatus: ptr("RUNNING"), DesiredStatus: ptr("RUNNING"), LaunchType: types.LaunchTypeEc2,
		CreatedAt: at, StartedAt: at, PullStartedAt: at, PullStoppedAt: at, Connectivity: types.ConnectivityConnected, ConnectivityAt: at, Version: 4,
		Group: ptr("family:web"), Cpu: ptr("512"), Memory: ptr("1024"), Tags: []types.Tag{{Key: ptr("team"), Value: ptr("shop")}},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: ptr("web")}}},
	}
	out := &ecs.DescribeTasksOutput{Failures: []types.Failure{}}
	for range 10 {
		out.Tasks = append(out.Tasks, task)
	}
	return out
}

var describeTasks = smithy.NewOperationSchema(schemas.DescribeTasks, schemas.DescribeTasksRequest, schemas.DescribeTasksResponse)

func BenchmarkMarshalTenTasks(b *testing.B) {
	out := tenTasks()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = Append(buf[:0], out); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

// For comparison: the SDK's own serializer.
func BenchmarkSDKMarshalTenTasks(b *testing.B) {
	out, p := tenTasks(), awsjson.New11(schemas.AmazonEC2ContainerServiceV20141113)
	b.ReportAllocs()
	for b.Loop() {
		req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
		if err := p.SerializeRequest(context.Background(), describeTasks, out, req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalTenTasks(b *testing.B) {
	buf, err := Marshal(tenTasks())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Unmarshal(buf, new(ecs.DescribeTasksOutput)); err != nil {
			b.Fatal(err)
		}
	}
}

// For comparison: the SDK's own deserializer.
func BenchmarkSDKUnmarshalTenTasks(b *testing.B) {
	buf, err := Marshal(tenTasks())
	if err != nil {
		b.Fatal(err)
	}
	p := awsjson.New11(schemas.AmazonEC2ContainerServiceV20141113)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		res := &smithyhttp.Response{Response: &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(buf))}}
		if err := p.DeserializeResponse(context.Background(), describeTasks, ecs.TypeRegistry, res, new(ecs.DescribeTasksOutput)); err != nil {
			b.Fatal(err)
		}
	}
}
