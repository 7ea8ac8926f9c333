package frontdoor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/identity"
)

func TestCall(t *testing.T) {
	d := open(t)
	var caller Caller
	d.ecs.list = func(ctx context.Context, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		caller = CallerFrom(ctx)
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the handler has no deadline")
		}
		return &ecs.ListTasksOutput{TaskArns: []string{aws.ToString(in.Cluster)}}, nil
	}
	out, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("c")})
	if err != nil || !slices.Equal(out.TaskArns, []string{"c"}) {
		t.Fatalf("%+v %v", out, err)
	}
	if caller.Principal.Kind != identity.Admin || caller.AccessKeyID != key || caller.Service != "ecs" || caller.Operation != "ListTasks" ||
		caller.Endpoint != d.URL || caller.RequestID == "" || caller.RemoteAddr == "" || caller.UserAgent == "" {
		t.Errorf("caller %+v", caller)
	}
	if want := []string{"admin ecs:ListTasks [cluster/c]"}; !slices.Equal(d.id.asked, want) {
		t.Errorf("authorized %q, want %q", d.id.asked, want)
	}
	if !strings.Contains(d.log.String(), "operation=ListTasks") || !strings.Contains(d.log.String(), "status=200") {
		t.Errorf("log: %s", d.log)
	}

	res, body := d.do(t, d.signed(t, "ecs", "POST", "/", `{"services":[]}`, call("DescribeServices")...))
	if res.StatusCode != 200 || !strings.Contains(body, `"desiredCount":0`) || res.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
	if d.id.asked[1] != "admin ecs:DescribeServices [*]" {
		t.Errorf("authorized %q", d.id.asked)
	}
	// An empty body is an input without members.
	if res, body := d.do(t, d.signed(t, "ecs", "POST", "/", "", call("ListTasks")...)); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	// JSON 1.0 is answered in JSON 1.0.
	headers := call("ListTasks")
	headers[1] = "application/x-amz-json-1.0"
	if res, _ := d.do(t, d.signed(t, "ecs", "POST", "/", "{}", headers...)); res.Header.Get("Content-Type") != headers[1] {
		t.Error(res.Header)
	}
	// The query string has the signature.
	if res, body := d.do(t, presigned(t, d, "ListTasks")); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestHandlers(t *testing.T) {
	if got := Handlers(reflect.TypeFor[*fakeECS]()); !slices.Equal(got, []string{"DescribeServices", "ListTasks"}) {
		t.Error(got)
	}
}

// No SDK may retry a call that will never be served.
func TestNotRepeated(t *testing.T) {
	d := open(t)
	_, err := d.client(func(o *ecs.Options) { o.Retryer = retry.NewStandard() }).CreateService(t.Context(), &ecs.CreateServiceInput{ServiceName: aws.String("x")})
	if err == nil || strings.Count(d.log.String(), "msg=call") != 1 {
		t.Errorf("%v\n%s", err, d.log)
	}
}

func BenchmarkCall(b *testing.B) {
	d := &door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()}
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		return &ecs.ListTasksOutput{TaskArns: []string{"a", "b"}}, nil
	}
	cfg := config(d)
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	const body = `{"cluster":"default","maxResults":100}`
	r := httptest.NewRequest("POST", "http://127.0.0.1:4700/", nil)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", prefix+".ListTasks")
	r.ContentLength = int64(len(body))
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "ecs"}.Sign(r, []byte(body))
	h := s.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Body)
		}
		d.id.asked = d.id.asked[:0]
	}
}

type undeclared struct{ fakeECS }

func (u *undeclared) StopTask(context.Context, *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
	return nil, nil
}

func TestDeclarations(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"a handler that isn't declared", func(c *Config) { c.Services[0].Impl = &undeclared{} }, "ecs StopTask has a handler but doesn't declare"},
		{"an action that is missing", func(c *Config) { c.Services[0].Operations["ListTasks"] = Operation{} }, "ecs ListTasks has a handler but doesn't declare"},
		{"a handler that is missing", func(c *Config) { c.Services[0].Operations["RunTask"] = Operation{Action: "ecs:RunTask"} }, "ecs RunTask is declared but"},
		{"another signature", func(c *Config) { c.Services[0].Operations["NotAnOperation"] = Operation{Action: "x"} }, "NotAnOperation is declared but"},
		{"no name", func(c *Config) { c.Services[0].Model = &model.Service{} }, "has no Name"},
		{"no handlers", func(c *Config) { c.Services[0].Impl = nil }, "needs Model and Impl"},
		{"the same twice", func(c *Config) { c.Services = append(c.Services, c.Services[0]) }, "two services"},
		{"no keys", func(c *Config) { c.Keys = nil }, "Keys must be set"},
		{"no region", func(c *Config) { c.Region = "" }, "Region must be set"},
	} {
		cfg := config(&door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()})
		tc.change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.want)
		}
	}
}

func TestHandlerErrors(t *testing.T) {
	for _, tc := range []struct {
		name    string
		err     error
		status  int
		code    string
		message string
		body    string
	}{
		{"modelled", &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}, 400, "ClusterNotFoundException", "Cluster not found.",
			`{"__type":"ClusterNotFoundException","message":"Cluster not found."}`},
		{"modelled with members", &types.ConflictException{Message: aws.String("no"), ResourceIds: []string{"x"}}, 400, "ConflictException", "no",
			`{"__type":"ConflictException","message":"no","resourceIds":["x"]}`},
		{"modelled without message", &types.BlockedException{}, 400, "BlockedException", "", ""},
		{"wrapped", fmt.Errorf("list: %w", &types.InvalidParameterException{Message: aws.String("bad \"x\" <y>")}), 400, "InvalidParameterException", "bad \"x\" <y>", ""},
		{"unmodelled", &smithy.GenericAPIError{Code: "ThrottlingException", Message: "slow"}, 400, "ThrottlingException", "slow", ""},
		{"server's", &types.ServerException{Message: aws.String("etcd said no")}, 500, "ServerException", "internal error", ""},
		{"any other", errors.New("etcd said no"), 500, "ServerException", "internal error", ""},
		{"one with a text for the caller", fmt.Errorf("run: %w", toldError{}), 500, "ServerException", "mend the record",
			`{"__type":"ServerException","message":"mend the record"}`}, // and nothing of it in the log
		{"late", context.DeadlineExceeded, 500, "ServerException", "not be processed in time", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := open(t)
			d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) { return nil, tc.err }
			_, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{})
			var got smithy.APIError
			if !errors.As(err, &got) || got.ErrorCode() != tc.code || !strings.Contains(got.ErrorMessage(), tc.message) {
				t.Errorf("got %v", err)
			}
			res, body := d.do(t, d.signed(t, "ecs", "POST", "/", "{}", call("ListTasks")...))
			if res.StatusCode != tc.status || tc.body != "" && body != tc.body {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if told := (toldError{}); errors.As(tc.err, &told) {
				if strings.Contains(d.log.String(), "level=ERROR") {
					t.Errorf("log: %s", d.log)
				}
			} else if tc.status == 500 {
				if strings.Contains(body, "etcd") || !strings.Contains(body, res.Header.Get("X-Amzn-Requestid")) {
					t.Errorf("body: %s", body)
				}
				if !strings.Contains(d.log.String(), "level=ERROR") || !strings.Contains(d.log.String(), tc.err.Error()) {
					t.Errorf("log: %s", d.log)
				}
			}
		})
	}
}

func TestPanic(t *testing.T) {
	d := open(t)
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) { panic("boom") }
	res, body := d.do(t, d.signed(t, "ecs", "POST", "/", "{}", call("ListTasks")...))
	if res.StatusCode != 500 || !strings.Contains(body, `"__type":"ServerException"`) || strings.Contains(body, "boom") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if log := d.log.String(); !strings.Contains(log, "panic=boom") || !strings.Contains(log, "frontdoor_test.go") {
		t.Errorf("log: %s", log)
	}
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		return &ecs.ListTasksOutput{}, nil
	}
	if res, _ := d.do(t, d.signed(t, "ecs", "POST", "/", "{}", call("ListTasks")...)); res.StatusCode != 200 {
		t.Error("the server didn't survive")
	}
}

func TestAuthorization(t *testing.T) {
	d := open(t)
	called := false
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		called = true
		return nil, nil
	}
	d.id.deny = fmt.Errorf("policy: %w", &identity.Denied{Message: "User: x is not authorized to perform: ecs:ListTasks"})
	_, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{})
	var denied *types.AccessDeniedException
	if !errors.As(err, &denied) || *denied.Message != "User: x is not authorized to perform: ecs:ListTasks" {
		t.Errorf("got %v", err)
	}
	// An authorizer that could not decide is a failure, which clients retry.
	d.id.deny = errors.New("the store is down")
	if res, body := d.do(t, d.signed(t, "ecs", "POST", "/", "{}", call("ListTasks")...)); res.StatusCode != 500 || strings.Contains(body, "store") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if called {
		t.Error("the handler ran before authorization")
	}
}

// An input is checked after its caller was authorized, and before the handler runs.
func TestCheck(t *testing.T) {
	d := open(t, func(c *Config, _ *door) {
		op := c.Services[0].Operations["ListTasks"]
		op.Check = func(in any) error {
			if in.(*ecs.ListTasksInput).LaunchType == "BAD" {
				return &types.InvalidParameterException{Message: aws.String("launchType is bad.")}
			}
			return nil
		}
		c.Services[0].Operations["ListTasks"] = op
	})
	calls := 0
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		calls++
		return &ecs.ListTasksOutput{}, nil
	}
	var invalid *types.InvalidParameterException
	if _, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{LaunchType: "BAD"}); !errors.As(err, &invalid) || *invalid.Message != "launchType is bad." {
		t.Errorf("got %v", err)
	}
	if _, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{}); err != nil || calls != 1 {
		t.Errorf("%v, %d calls", err, calls)
	}
	d.id.deny = &identity.Denied{Message: "no"}
	var denied *types.AccessDeniedException
	if _, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{LaunchType: "BAD"}); !errors.As(err, &denied) {
		t.Errorf("got %v", err)
	}
}

func TestBadCalls(t *testing.T) {
	d := open(t)
	sign := func(id, secret, region, token string, at time.Time) func(*testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			r := d.unsigned(t, "POST", "/", "{}", call("ListTasks")...)
			if token != "" {
				r.Header.Set("X-Amz-Security-Token", token)
			}
			sigv4.Signer{AccessKeyID: id, SecretAccessKey: secret, Region: region, Service: "ecs", Now: func() time.Time { return at }}.Sign(r, []byte("{}"))
			return r
		}
	}
	send := func(method, body, op string) func(*testing.T) *http.Request {
		return func(t *testing.T) *http.Request { return d.signed(t, "ecs", method, "/", body, call(op)...) }
	}
	for _, tc := range []struct {
		name    string
		request func(*testing.T) *http.Request
		status  int
		want    string
	}{
		{"unsigned", func(t *testing.T) *http.Request { return d.unsigned(t, "POST", "/", "{}", call("ListTasks")...) }, 400,
			`{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{"unknown key", sign("AKIAOTHER", secret, "us-east-1", "", time.Now()), 400, `{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`},
		{"wrong secret", sign(key, "other", "us-east-1", "", time.Now()), 400, `"InvalidSignatureException","message":"The request signature we calculated does not match`},
		{"expired", sign(key, secret, "us-east-1", "", time.Now().Add(-time.Hour)), 400, `"InvalidSignatureException","message":"Signature expired: `},
		{"region", sign(key, secret, "eu-west-1", "", time.Now()), 400, `Credential should be scoped to a valid region ('us-east-1'), not 'eu-west-1'.`},
		{"stale token", sign(key, secret, "us-east-1", "stale", time.Now()), 400, `"UnrecognizedClientException","message":"The security token included in the request is invalid. (It came`},
		{"broken key source", sign("BROKEN", secret, "us-east-1", "", time.Now()), 500, `"ServerException"`},
		{"other service's scope", func(t *testing.T) *http.Request { return d.signed(t, "iam", "POST", "/", "{}", call("ListTasks")...) }, 400, "correct service: 'ecs', not 'iam'"},
		{"malformed", send("POST", `{"cluster":`, "ListTasks"), 400, `"SerializationException","message":"cluster: malformed JSON: unexpected EOF`},
		{"wrong type", send("POST", `{"maxResults":"1"}`, "ListTasks"), 400, `"SerializationException","message":"maxResults: STRING_VALUE can not be converted to an Integer"`},
		{"not served yet", send("POST", `{}`, "CreateService"), 400, `"UnsupportedOperationException","message":"The operation CreateService of ecs is not served by this installation yet.`},
		{"unknown operation", send("POST", `{}`, "Nonsense"), 400, `"UnknownOperationException","message":"The service ecs has no operation \"Nonsense\" here."`},
		{"no operation", send("POST", `{}`, ""), 400, `"UnknownOperationException"`},
		{"compressed", func(t *testing.T) *http.Request {
			return d.signed(t, "ecs", "POST", "/", "\x1f\x8b", append(call("ListTasks"), "Content-Encoding", "gzip")...)
		}, 400, `"SerializationException","message":"The body is not what its Content-Encoding says, gzip: unexpected EOF."`},
		{"no target", func(t *testing.T) *http.Request {
			return d.signed(t, "ecs", "POST", "/", "{}", "Content-Type", "application/x-amz-json-1.1")
		}, 400, `"UnknownOperationException","message":"The request names no operation of ecs, but \"\": its X-Amz-Target must be`},
		{"long", send("POST", `{"maxResults":`+strings.Repeat("9", 100_000)+`}`, "ListTasks"), 400, `99999… (100030 bytes in all)"`},
		{"method", send("PUT", `{}`, "ListTasks"), 400, `ListTasks of ecs must be a POST, not a PUT.`},
		{"unsigned and malformed", func(t *testing.T) *http.Request {
			return d.unsigned(t, "POST", "/", "{", call("Nonsense")...)
		}, 400, "MissingAuthenticationTokenException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, body := d.do(t, tc.request(t))
			if res.StatusCode != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("%d %s", res.StatusCode, body)
			}
		})
	}
}

func TestPageAndHealth(t *testing.T) {
	d := open(t)
	for path, want := range map[string]string{"/": "Ashore is running", "/healthz": "ready\n"} {
		res, body := d.do(t, d.unsigned(t, "GET", path, ""))
		if res.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
		if strings.Contains(body, "000000000000") || strings.Contains(body, "us-east-1") {
			t.Errorf("%s shows data", path)
		}
	}
	if res, _ := d.do(t, d.unsigned(t, "HEAD", "/", "")); res.StatusCode != 200 {
		t.Error(res.Status)
	}
	for _, r := range []*http.Request{d.unsigned(t, "GET", "/favicon.ico", ""), d.unsigned(t, "POST", "/", ""), d.unsigned(t, "GET", "/?x=y", "")} {
		if res, body := d.do(t, r); res.StatusCode != 403 || !strings.Contains(body, "Missing Authentication Token") {
			t.Errorf("%s %s: %d %s", r.Method, r.URL, res.StatusCode, body)
		}
	}
}

// A body that takes too long gets an answer, too.
func TestSlowBody(t *testing.T) {
	d := open(t)
	s, err := New(config(d))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		err  error
		code int
	}{{os.ErrDeadlineExceeded, 408}, {io.ErrUnexpectedEOF, 400}} {
		r := d.signed(t, "ecs", "POST", "/", "{}", call("ListTasks")...)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), errReader{tc.err}))
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != tc.code || w.Header().Get("Connection") != "close" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// toldError has a text for callers.
type toldError struct{}

func (toldError) Error() string  { return "secret" }
func (toldError) Public() string { return "mend the record" }
