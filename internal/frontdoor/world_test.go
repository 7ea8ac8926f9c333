package frontdoor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.uber.org/goleak"

	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "AKIATEST"
	hosts  = "AKIAHOST" // a host's key, with the same secret
	secret = "a-secret-that-must-not-be-logged"
	prefix = "AmazonEC2ContainerServiceV20141113"
)

// fakeECS answers with what each test sets.
type fakeECS struct {
	list func(ctx context.Context, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error)
}

func (f *fakeECS) ListTasks(ctx context.Context, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
	return f.list(ctx, in)
}

func (f *fakeECS) DescribeServices(context.Context, *ecs.DescribeServicesInput) (*ecs.DescribeServicesOutput, error) {
	return &ecs.DescribeServicesOutput{Services: []types.Service{{}}}, nil
}

// NotAnOperation has another signature, so it is not an operation.
func (f *fakeECS) NotAnOperation(context.Context) error { return nil }

func (f *fakeECS) service() Service {
	return Service{
		Model: ecsmodel.Model, Impl: f,
		Operations: map[string]Operation{
			"ListTasks": Op("ecs:ListTasks", func(_ context.Context, _ Caller, in *ecs.ListTasksInput) []string {
				return []string{"cluster/" + aws.ToString(in.Cluster)}
			}),
			"DescribeServices": {Action: "ecs:DescribeServices"},
		},
	}
}

// fakeIdentity has one key, and denies what a test sets.
type fakeIdentity struct {
	mu    sync.Mutex
	asked []string
	deny  error
}

func (f *fakeIdentity) Key(_ context.Context, id, token string) (string, identity.Principal, error) {
	if token != "" {
		return "", identity.Principal{}, identity.ErrUnknownKey
	}
	switch id {
	case key:
		return secret, identity.Principal{Kind: identity.Admin, ARN: "arn:aws:iam::000000000000:user/admin"}, nil
	case hosts:
		return secret, identity.Principal{Kind: identity.Host, ARN: "arn:aws:iam::000000000000:user/host/h"}, nil
	case "BROKEN":
		return "", identity.Principal{}, errors.New("the store is down")
	}
	return "", identity.Principal{}, fmt.Errorf("no such key: %w", identity.ErrUnknownKey)
}

func (f *fakeIdentity) Authorize(_ context.Context, r identity.Request) (identity.Decision, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf("%s %s %v", r.Caller.Kind, r.Action, r.Resources))
	if why, ok := errors.AsType[*identity.Denied](f.deny); ok {
		return identity.Refuse(why), nil
	}
	return identity.Decision{Allowed: f.deny == nil, Policy: "Fake", Statement: "All"}, f.deny
}

func (f *fakeIdentity) Decide(_ *store.Snapshot, r identity.Request) (identity.Decision, error) {
	return f.Authorize(context.Background(), r)
}

func (f *fakeIdentity) Fresh(context.Context) (*store.Snapshot, error) {
	return nil, errors.New("this test has no store")
}

// A door is a running front door with the parts that tests inspect.
type door struct {
	*httptest.Server
	front *Server
	ecs   *fakeECS
	id    *fakeIdentity
	log   *syncBuffer
}

type syncBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	grown *sync.Cond
}

func newLog() *syncBuffer {
	b := &syncBuffer{}
	b.grown = sync.NewCond(&b.mu)
	return b
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grown.Broadcast()
	return b.b.Write(p)
}

// await returns when the log contains text.
func (b *syncBuffer) await(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !strings.Contains(b.b.String(), text) {
		b.grown.Wait()
	}
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func config(d *door) Config {
	return Config{
		Account: "000000000000", Region: "us-east-1", Version: "1.2.3", Keys: d.id, Auth: d.id, Services: []Service{d.ecs.service()},
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func open(t *testing.T, change ...func(*Config, *door)) *door {
	t.Helper()
	d := &door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()}
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		return &ecs.ListTasksOutput{TaskArns: []string{"a", "b"}}, nil
	}
	cfg := config(d)
	for _, c := range change {
		c(&cfg, d)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.front, d.Server = s, httptest.NewUnstartedServer(s.Handler())
	d.Config.ConnState, d.Config.ConnContext = s.conns.onState, s.conns.onContext
	d.Start()
	t.Cleanup(func() {
		d.Close()
		for _, secret := range []string{secret, "Signature="} {
			if strings.Contains(d.log.String(), secret) {
				t.Errorf("%q is in the log:\n%s", secret, d.log)
			}
		}
	})
	return d
}

func (d *door) client(options ...func(*ecs.Options)) *ecs.Client {
	return ecs.New(ecs.Options{
		BaseEndpoint: &d.URL, Region: "us-east-1", HTTPClient: client.BufferedClient{Client: d.Client()}, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	}, options...)
}

// signed returns a signed request for service.
func (d *door) signed(t *testing.T, service, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	return d.signedBy(t, key, service, method, path, body, headers...)
}

func (d *door) signedBy(t *testing.T, key, service, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	r := d.unsigned(t, method, path, body, headers...)
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: service}.Sign(r, []byte(body))
	return r
}

func (d *door) unsigned(t *testing.T, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (d *door) do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := d.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("X-Amzn-Requestid") == "" {
		t.Error("no request id")
	}
	return res, string(b)
}

func call(op string) []string {
	return []string{"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", prefix + "." + op}
}

// hostPrincipal returns the principal of the key hosts.
func (d *door) hostPrincipal(t *testing.T) identity.Principal {
	t.Helper()
	_, p, err := d.id.Key(t.Context(), hosts, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signBody(r *http.Request, body string) {
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "ecs"}.Sign(r, []byte(body))
}
