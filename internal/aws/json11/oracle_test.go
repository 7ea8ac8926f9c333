package json11

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
)

// The SDK's own client is the oracle: it calls every operation with every field
// filled, and what it sends must decode here to what it was given, and what is
// encoded here must decode there to the same again.

const operations = 88

// A filler makes values with every field set, so that a field which is lost on
// the way shows.
type filler struct {
	*rand.Rand
	n int
}

func (f *filler) fill(t *testing.T, v reflect.Value, depth int) {
	t.Helper()
	f.n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.UnixMilli(1 + f.Int64N(4e12)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d \"é\\\n<%d", f.n, f.Int32()))
	case reflect.Bool: // never the zero that the SDK drops
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1 + f.Int64N(1<<(v.Type().Bits()-1)-1))
		if v.Kind() == reflect.Int64 { // where a float would lose digits
			v.SetInt(1<<53 + 1 + f.Int64N(1<<60))
		}
	case reflect.Float32, reflect.Float64:
		v.SetFloat(f.NormFloat64() * 1e6)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, v.Elem(), depth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+f.IntN(2), 3))
		for i := range v.Len() {
			f.fill(t, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + f.IntN(3) {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(t, k, depth+1)
			f.fill(t, e, depth+1)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			sf := v.Type().Field(i)
			_, sdk := sdkOnly[sf.Name]
			if !sf.IsExported() || sdk || depth > 12 { // deeper is a recursive type
				continue
			}
			f.fill(t, v.Field(i), depth+1)
		}
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[document.Interface]() {
			v.Set(reflect.ValueOf(document.NewLazyDocument(map[string]any{
				"s": "text", "n": f.Int64N(1 << 40), "f": 1.5, "b": true, "l": []any{"x", nil, int64(3)}, "m": map[string]any{"k": "v"},
			})))
			return
		}
		for _, u := range unions {
			if u.iface == v.Type() {
				m := reflect.New(u.members[f.IntN(len(u.members))])
				f.fill(t, m.Elem(), depth)
				v.Set(m)
				return
			}
		}
		t.Fatalf("%s: neither a union nor a document", v.Type())
	default:
		t.Fatalf("%s: the filler doesn't know it", v.Type())
	}
}

func newFiller(t *testing.T) *filler {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return &filler{Rand: rand.New(rand.NewPCG(seed, 0))}
}

func diff(a, b any) string { return diffTimes(a, b, 0) }

// diffClient compares with what the client decoded: it takes times through a
// float and cuts that to milliseconds, so that one can be missing.
func diffClient(want, got any) string { return diffTimes(want, got, time.Millisecond) }

func diffTimes(a, b any, tolerance time.Duration) string {
	return cmp.Diff(a, b,
		cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() <= tolerance }),
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

func jsonDiff(a, b []byte) string {
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		return err.Error()
	}
	return cmp.Diff(x, y)
}

// A wire is the client's transport: it keeps the request and gives an answer.
type wire struct {
	target string
	body   []byte
	status int
	answer []byte
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.target, w.body = r.Header.Get("X-Amz-Target"), body
	return &http.Response{
		StatusCode: w.status, ContentLength: int64(len(w.answer)), Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:   io.NopCloser(bytes.NewReader(w.answer)),
	}, nil
}

func (w *wire) client() *ecs.Client {
	return ecs.New(ecs.Options{
		BaseEndpoint: aws.String("http://127.0.0.1:4700"), Region: "us-east-1",
		HTTPClient: &http.Client{Transport: w}, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	})
}

// An operation is a method of the client.
type operation struct {
	name    string
	in, out reflect.Type
}

func clientOperations(t *testing.T) []operation {
	t.Helper()
	var ops []operation
	ct := reflect.TypeFor[*ecs.Client]()
	for i := range ct.NumMethod() {
		m := ct.Method(i)
		if m.Type.NumIn() == 4 && m.Type.In(2).Kind() == reflect.Pointer && strings.HasSuffix(m.Type.In(2).Elem().Name(), "Input") {
			ops = append(ops, operation{m.Name, m.Type.In(2).Elem(), m.Type.Out(0).Elem()})
		}
	}
	if len(ops) != operations {
		t.Fatalf("the client has %d operations, not %d", len(ops), operations)
	}
	return ops
}

func (o operation) call(c *ecs.Client, in any) (any, error) {
	res := reflect.ValueOf(c).MethodByName(o.name).Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(in)})
	err, _ := res[1].Interface().(error)
	return res[0].Interface(), err
}

func TestOracleOperations(t *testing.T) {
	f := newFiller(t)
	for _, op := range clientOperations(t) {
		t.Run(op.name, func(t *testing.T) {
			in, out := reflect.New(op.in), reflect.New(op.out)
			f.fill(t, in.Elem(), 0)
			f.fill(t, out.Elem(), 0)
			answer, err := Marshal(out.Interface())
			if err != nil {
				t.Fatal(err)
			}
			w := &wire{status: 200, answer: answer}
			got, err := op.call(w.client(), in.Interface())
			if err != nil {
				t.Fatalf("%v\nanswer: %s", err, answer)
			}
			if d := diffClient(out.Interface(), got); d != "" {
				t.Errorf("the client decoded something else than was answered:\n%s", d)
			}
			if w.target != "AmazonEC2ContainerServiceV20141113."+op.name {
				t.Errorf("target %s", w.target)
			}
			decoded := reflect.New(op.in)
			if err := Unmarshal(w.body, decoded.Interface()); err != nil {
				t.Fatal(err)
			}
			if d := diff(in.Interface(), decoded.Interface()); d != "" {
				t.Errorf("decoded something else than the client sent:\n%s", d)
			}
			// The other two ways, so that the codec agrees with itself.
			again, err := Marshal(in.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if d := jsonDiff(w.body, again); d != "" {
				t.Errorf("encoded otherwise than the client does:\n%s", d)
			}
			back := reflect.New(op.out)
			if err := Unmarshal(answer, back.Interface()); err != nil {
				t.Fatal(err)
			}
			if d := diff(out.Interface(), back.Interface()); d != "" {
				t.Errorf("didn't survive its own round trip:\n%s", d)
			}
		})
	}
}

func TestOracleErrors(t *testing.T) {
	f := newFiller(t)
	n := 0
	for id, entry := range ecs.TypeRegistry.Entries {
		want, ok := entry.New().(smithy.APIError)
		if !ok {
			continue
		}
		n++
		f.fill(t, reflect.ValueOf(want).Elem(), 0)
		body, err := Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(id, "#")
		answer := append([]byte(`{"__type":"`+name+`",`), body[1:]...)
		_, err = (&wire{status: 400, answer: answer}).client().ListTasks(context.Background(), &ecs.ListTasksInput{})
		got := reflect.New(reflect.TypeOf(want))
		if !errors.As(err, got.Interface()) {
			t.Errorf("%s came back as %v", name, err)
		} else if d := diffClient(want, got.Elem().Interface()); d != "" {
			t.Errorf("%s changed on the way:\n%s", name, d)
		}
	}
	if n != 31 {
		t.Errorf("%d errors, not 31", n)
	}
}

// Nothing set comes through as nothing set, zeros included.
func TestOracleEmpty(t *testing.T) {
	f := newFiller(t)
	for _, op := range clientOperations(t) {
		in, out := reflect.New(op.in), reflect.New(op.out)
		f.fill(t, in.Elem(), 0)
		answer, err := Marshal(out.Interface())
		if err != nil {
			t.Fatal(err)
		}
		got, err := op.call((&wire{status: 200, answer: answer}).client(), in.Interface())
		if err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		if d := diffClient(out.Interface(), got); d != "" {
			t.Errorf("%s: %s", op.name, d)
		}
	}
}

// The module's own fixtures: what AWS's generator says the wire looks like.
func TestModuleFixtures(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/ecs").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(string(dir))
	for _, op := range clientOperations(t) {
		t.Run(op.name, func(t *testing.T) {
			req := fixture(t, root, "request_snapshot", op.name+".request.snap")
			in := reflect.New(op.in)
			roundTrip(t, req, in.Interface())
			w := &wire{status: 200, answer: []byte("{}")}
			if _, err := op.call(w.client(), in.Interface()); err != nil {
				t.Fatal(err)
			}
			if d := jsonDiff(req, w.body); d != "" {
				t.Errorf("decoded to what the client sends otherwise:\n%s", d)
			}

			res := fixture(t, root, "response_snapshot", op.name+".response.snap")
			out := reflect.New(op.out)
			roundTrip(t, res, out.Interface())
			w.answer = res
			got, err := op.call(w.client(), in.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if d := diffClient(got, out.Interface()); d != "" {
				t.Errorf("decoded otherwise than by the client:\n%s", d)
			}
		})
	}
	errs, err := filepath.Glob(filepath.Join(root, "response_snapshot", "*.error.snap"))
	if err != nil || len(errs) != 31 {
		t.Fatalf("%d error fixtures: %v", len(errs), err)
	}
	for _, path := range errs {
		name := strings.TrimSuffix(filepath.Base(path), ".error.snap")
		body := fixture(t, root, "response_snapshot", filepath.Base(path))
		_, err := (&wire{status: 400, answer: body}).client().ListTasks(context.Background(), &ecs.ListTasksInput{})
		var want smithy.APIError
		if !errors.As(err, &want) {
			t.Fatalf("%s: %v", name, err)
		}
		got := reflect.New(reflect.TypeOf(want).Elem())
		if err := Unmarshal(body, got.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := diff(want, got.Interface()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// roundTrip decodes body into v and wants the same JSON back.
func roundTrip(t *testing.T, body []byte, v any) {
	t.Helper()
	if err := Unmarshal(body, v); err != nil {
		t.Fatal(err)
	}
	again, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if d := jsonDiff(body, again); d != "" {
		t.Errorf("encoded otherwise:\n%s", d)
	}
}

// fixture is the body of a snapshot: what follows its first empty line that
// begins with a brace.
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
