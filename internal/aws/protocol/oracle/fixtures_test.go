package oracle

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
)

// The fixtures of ECS's module show the wire format of AWS's generator.
func TestModuleFixtures(t *testing.T) {
	s, p := services[0], protocols[0]
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", s.model.Module).Output()
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(string(dir))
	for _, op := range operationsOf(t, s.model, s.client(aws.Config{}, nil)) {
		t.Run(op.Name, func(t *testing.T) {
			req := fixture(t, root, "request_snapshot", op.Name+".request.snap")
			in := reflect.New(op.in)
			roundTrip(t, req, in.Interface())
			w := &wire{status: 200, header: http.Header{}, answer: []byte("{}")}
			if _, err := call(s.client(w.config(), p.client(s.schema)), op, in.Interface()); err != nil {
				t.Fatal(err)
			}
			if d := jsonDiff(req, w.body); d != "" {
				t.Errorf("decoded to what the client sends otherwise:\n%s", d)
			}
			w.answer = fixture(t, root, "response_snapshot", op.Name+".response.snap")
			out := reflect.New(op.out)
			roundTrip(t, w.answer, out.Interface())
			got, err := call(s.client(w.config(), p.client(s.schema)), op, in.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(got, out.Interface()); d != "" {
				t.Errorf("decoded otherwise than by the client:\n%s", d)
			}
		})
	}
}

// roundTrip decodes body into v and requires that v encodes to the same JSON.
func roundTrip(t *testing.T, body []byte, v any) {
	t.Helper()
	if err := awsjson.Unmarshal(body, v); err != nil {
		t.Fatal(err)
	}
	again, err := awsjson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if d := jsonDiff(body, again); d != "" {
		t.Errorf("encoded otherwise:\n%s", d)
	}
}

func jsonDiff(a, b []byte) string {
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		return err.Error()
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return err.Error()
	}
	return cmp.Diff(x, y)
}

// fixture returns the body of a snapshot: the text after the first empty line, from the
// line that begins with a brace.
func fixture(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("\n\n{"))
	if i < 0 {
		t.Fatalf("%s: no body", elem[len(elem)-1])
	}
	return b[i+2:]
}
