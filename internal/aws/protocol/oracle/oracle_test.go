// Package oracle compares the protocols with the SDK. The client of each service calls
// every operation with every field filled. Its request must decode here to the input
// that the client got. An answer that is encoded here must decode there to the same
// output.
package oracle

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
	ecsschemas "github.com/aws/aws-sdk-go-v2/service/ecs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamschemas "github.com/aws/aws-sdk-go-v2/service/iam/schemas"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	stsschemas "github.com/aws/aws-sdk-go-v2/service/sts/schemas"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	sdkjson "github.com/aws/smithy-go/transport/http/protocol/awsjson"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"
	"github.com/aws/smithy-go/transport/http/protocol/rpcv2"
	"github.com/google/go-cmp/cmp"

	"github.com/ashore/ashore/internal/aws/model"
	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	iammodel "github.com/ashore/ashore/internal/aws/model/iam"
	schedulermodel "github.com/ashore/ashore/internal/aws/model/scheduler"
	cloudmapmodel "github.com/ashore/ashore/internal/aws/model/servicediscovery"
	stsmodel "github.com/ashore/ashore/internal/aws/model/sts"
	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/aws/protocol/query"
	"github.com/ashore/ashore/internal/aws/protocol/restjson"
	"github.com/ashore/ashore/internal/aws/protocol/rpccbor"
)

// A service is a service that the oracle compares.
type service struct {
	model  *model.Service
	schema *smithy.ServiceSchema // nil where the SDK has none; the client then speaks one protocol only, own
	own    string
	client func(aws.Config, smithyhttp.ClientProtocol) any
}

var services = []service{
	{ecsmodel.Model, ecsschemas.AmazonEC2ContainerServiceV20141113, "", func(c aws.Config, p smithyhttp.ClientProtocol) any {
		return ecs.NewFromConfig(c, func(o *ecs.Options) { o.Protocol = p })
	}},
	{iammodel.Model, iamschemas.AWSIdentityManagementV20100508, "", func(c aws.Config, p smithyhttp.ClientProtocol) any {
		return iam.NewFromConfig(c, func(o *iam.Options) { o.Protocol = p })
	}},
	{stsmodel.Model, stsschemas.AWSSecurityTokenServiceV20110615, "", func(c aws.Config, p smithyhttp.ClientProtocol) any {
		return sts.NewFromConfig(c, func(o *sts.Options) { o.Protocol = p })
	}},
	{schedulermodel.Model, nil, "restjson", func(c aws.Config, _ smithyhttp.ClientProtocol) any { return scheduler.NewFromConfig(c) }},
	{cloudmapmodel.Model, nil, "json11", func(c aws.Config, _ smithyhttp.ClientProtocol) any { return servicediscovery.NewFromConfig(c) }},
}

// protocols are all served protocols, and the settings with which an SDK client uses
// them. A client of any service can use any protocol.
var protocols = []struct {
	name   string
	server protocol.Protocol
	client func(*smithy.ServiceSchema) smithyhttp.ClientProtocol
}{
	{"json11", awsjson.JSON11, func(s *smithy.ServiceSchema) smithyhttp.ClientProtocol { return sdkjson.New11(s) }},
	{"json10", awsjson.JSON10, func(s *smithy.ServiceSchema) smithyhttp.ClientProtocol { return sdkjson.New10(s) }},
	{"restjson", restjson.Protocol{}, nil},
	{"query", query.AWS, func(s *smithy.ServiceSchema) smithyhttp.ClientProtocol { return awsquery.New(s) }},
	{"cbor", rpccbor.Protocol{}, func(s *smithy.ServiceSchema) smithyhttp.ClientProtocol { return rpcv2.NewCBOR(s) }},
}

// A wire is the client's transport: it records the request and returns an answer.
type wire struct {
	r      *http.Request
	body   []byte
	status int
	header http.Header
	answer []byte
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.r = r
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		w.body = body
	}
	return &http.Response{
		StatusCode: w.status, ContentLength: int64(len(w.answer)), Request: r, Header: w.header, Body: io.NopCloser(bytes.NewReader(w.answer)),
	}, nil
}

func (w *wire) config() aws.Config {
	return aws.Config{
		BaseEndpoint: aws.String("http://127.0.0.1:4700"), Region: "us-east-1",
		HTTPClient: &http.Client{Transport: w}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	}
}

// An operation is a method of a client.
type operation struct {
	*model.Operation
	in, out reflect.Type
}

// operationsOf returns a client's operations. The model must have them, too.
func operationsOf(t *testing.T, m *model.Service, client any) []operation {
	t.Helper()
	var ops []operation
	ct := reflect.TypeOf(client)
	for i := range ct.NumMethod() {
		method := ct.Method(i)
		if method.Type.NumIn() != 4 || method.Type.In(2).Kind() != reflect.Pointer || !strings.HasSuffix(method.Type.In(2).Elem().Name(), "Input") {
			continue
		}
		op := m.Operation(method.Name)
		if op == nil {
			t.Fatalf("the model lacks %s", method.Name)
		}
		ops = append(ops, operation{op, method.Type.In(2).Elem(), method.Type.Out(0).Elem()})
	}
	if len(ops) != len(m.Operations) {
		t.Errorf("the client has %d operations, the model %d", len(ops), len(m.Operations))
	}
	return ops
}

func call(client any, op operation, in any) (any, error) {
	res := reflect.ValueOf(client).MethodByName(op.Name).Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(in)})
	err, _ := res[1].Interface().(error)
	return res[0].Interface(), err
}

func diff(a, b any) string {
	return cmp.Diff(a, b,
		cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() <= time.Millisecond }),
		cmp.Comparer(func(a, b middleware.Metadata) bool { return true }),
		cmp.Comparer(func(a, b document.Interface) bool {
			if a == nil || b == nil {
				return a == b
			}
			x, err1 := a.MarshalSmithyDocument()
			y, err2 := b.MarshalSmithyDocument()
			return err1 == nil && err2 == nil && jsonDiff(x, y) == ""
		}),
	)
}

func TestOperations(t *testing.T) {
	for _, s := range services {
		for _, p := range protocols {
			if s.schema == nil && s.own != p.name || s.schema != nil && p.client == nil {
				continue
			}
			t.Run(s.model.Name+"/"+p.name, func(t *testing.T) {
				f := newFiller(t)
				f.documents = strings.HasPrefix(p.name, "json") // the other protocols have no documents
				for _, op := range operationsOf(t, s.model, s.client(aws.Config{}, nil)) {
					t.Run(op.Name, func(t *testing.T) {
						testOperation(t, f, s.model, op, p.server, func(w *wire) any {
							if s.schema == nil {
								return s.client(w.config(), nil)
							}
							return s.client(w.config(), p.client(s.schema))
						})
					})
				}
			})
		}
	}
}

func testOperation(t *testing.T, f *filler, m *model.Service, op operation, p protocol.Protocol, client func(*wire) any) {
	in, out := reflect.New(op.in), reflect.New(op.out)
	f.fill(t, in.Elem(), 0)
	f.fill(t, out.Elem(), 0)
	w := &wire{status: 200, header: http.Header{}}
	var err error
	if w.answer, err = p.Encode(nil, m, op.Operation, w.header, "id", out.Interface()); err != nil {
		t.Fatal(err)
	}
	got, err := call(client(w), op, in.Interface())
	if err != nil {
		t.Fatalf("%v\nanswer: %q", err, w.answer)
	}
	if d := diff(out.Interface(), got); d != "" {
		t.Errorf("the client decoded something else than was answered:\n%s\n%q", d, w.answer)
	}
	decoded := reflect.New(op.in)
	if err := p.Decode(op.Operation, w.r, w.body, decoded.Interface(), protocol.Within{}); err != nil {
		t.Fatalf("%v\n%q", err, w.body)
	}
	if d := diff(in.Interface(), decoded.Interface()); d != "" {
		t.Errorf("decoded something else than the client sent:\n%s\n%q", d, w.body)
	}
}
