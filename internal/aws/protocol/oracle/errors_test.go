package oracle

import (
	"errors"
	"net/http"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/ashore/ashore/internal/aws/protocol"
)

// errorsOf are the modelled errors of each service, and the protocols in which the
// service's clients read them.
var errorsOf = map[string]struct {
	types     *smithy.TypeRegistry
	protocols map[string]bool // true if a client reads all members, false if only the message
}{
	"ecs": {ecs.TypeRegistry, map[string]bool{"json11": true, "json10": true, "cbor": true, "query": false}},
	"iam": {iam.TypeRegistry, map[string]bool{"query": false}},
	"sts": {sts.TypeRegistry, map[string]bool{"query": false}},
}

// Every modelled error arrives with its type and members.
func TestErrors(t *testing.T) {
	for _, s := range services {
		known, some := errorsOf[s.model.Name]
		if !some {
			continue
		}
		for _, p := range protocols {
			whole, spoken := known.protocols[p.name]
			if !spoken {
				continue
			}
			t.Run(s.model.Name+"/"+p.name, func(t *testing.T) {
				f, n := newFiller(t), 0
				op := operationsOf(t, s.model, s.client(aws.Config{}, nil))[0]
				for id, entry := range known.types.Entries {
					want, ok := entry.New().(smithy.APIError)
					if !ok {
						continue
					}
					n++
					f.fill(t, reflect.ValueOf(want).Elem(), 0)
					w := &wire{status: 400, header: http.Header{}}
					w.answer = p.server.Fault(w.header, "id", protocol.Fault{Code: want.ErrorCode(), Message: want.ErrorMessage(), Err: want})
					in := reflect.New(op.in)
					f.fill(t, in.Elem(), 0)
					_, err := call(s.client(w.config(), p.client(s.schema)), op, in.Interface())
					got := reflect.New(reflect.TypeOf(want))
					if !errors.As(err, got.Interface()) {
						t.Errorf("%s came back as %v", id, err)
						continue
					}
					if is := got.Elem().Interface().(smithy.APIError); is.ErrorMessage() != want.ErrorMessage() {
						t.Errorf("%s says %q, not %q", id, is.ErrorMessage(), want.ErrorMessage())
					}
					if d := diff(want, got.Elem().Interface()); whole && d != "" {
						t.Errorf("%s changed on the way:\n%s", id, d)
					}
				}
				if n < 5 {
					t.Errorf("only %d errors", n)
				}
			})
		}
	}
}

// An empty answer arrives empty, including zeros.
func TestEmptyAnswers(t *testing.T) {
	for _, s := range services {
		for _, p := range protocols {
			if s.schema == nil && s.own != p.name || s.schema != nil && p.client == nil {
				continue
			}
			t.Run(s.model.Name+"/"+p.name, func(t *testing.T) {
				f := newFiller(t)
				for _, op := range operationsOf(t, s.model, s.client(aws.Config{}, nil)) {
					in, out := reflect.New(op.in), reflect.New(op.out)
					f.fill(t, in.Elem(), 0)
					w := &wire{status: 200, header: http.Header{}}
					var err error
					if w.answer, err = p.server.Encode(nil, s.model, op.Operation, w.header, "id", out.Interface()); err != nil {
						t.Fatal(err)
					}
					client := s.client(w.config(), nil)
					if s.schema != nil {
						client = s.client(w.config(), p.client(s.schema))
					}
					got, err := call(client, op, in.Interface())
					if err != nil {
						t.Fatalf("%s: %v", op.Name, err)
					}
					if d := diff(out.Interface(), got); d != "" {
						t.Errorf("%s: %s", op.Name, d)
					}
				}
			})
		}
	}
}
