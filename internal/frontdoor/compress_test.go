package frontdoor

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

func zipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A gzip body is decompressed. The result has the limit of a body, which an operation
// may set.
func TestCompressedBody(t *testing.T) {
	d := open(t)
	var cluster string
	d.ecs.list = func(_ context.Context, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		cluster = aws.ToString(in.Cluster)
		return &ecs.ListTasksOutput{}, nil
	}
	cfg := config(d)
	op := cfg.Services[0].Operations["ListTasks"]
	op.BodyLimit = 2 << 20
	cfg.Services[0].Operations["ListTasks"] = op
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	send := func(body string, headers ...string) (int, string) {
		r := d.signed(t, "ecs", "POST", "/", body, append(call("ListTasks"), headers...)...)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	named := func(n int) string { return `{"cluster":"` + strings.Repeat("c", n) + `"}` }
	for _, x := range []struct {
		what, body, coding string
		status, want       int // want: length of the name that the handler gets
	}{
		{"gzip", zipped(t, named(3)), "gzip", 200, 3},
		{"GZIP, larger than the front door's limit", zipped(t, named(3<<19)), "GZIP", 200, 3 << 19},
		{"a bomb", zipped(t, named(16<<20)), "gzip", 413, 0},
		{"two in one", zipped(t, named(1)) + zipped(t, "x"), "gzip", 400, 0},
		{"another coding", named(1), "br", 400, 0},
		{"as it is, larger than the front door's limit", named(3 << 19), "", 200, 3 << 19},
		{"as it is, too large", named(3 << 20), "", 413, 0},
	} {
		cluster = ""
		var headers []string
		if x.coding != "" {
			headers = []string{"Content-Encoding", x.coding}
		}
		status, body := send(x.body, headers...)
		if status != x.status || len(cluster) != x.want {
			t.Errorf("%s: %d, a name of %d: %.200s", x.what, status, len(cluster), body)
		}
	}
}
