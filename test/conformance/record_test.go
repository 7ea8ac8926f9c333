package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	apiecs "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/coverage"
	"github.com/ashore/ashore/internal/frontdoor"
)

// record has the members of the run's requests, by operation and member.
var record = struct {
	sync.Mutex
	accepted, refused, kept map[string]map[string]bool
}{accepted: map[string]map[string]bool{}, refused: map[string]map[string]bool{}, kept: map[string]map[string]bool{}}

// answered says in which answer the members of an operation's request appear.
var answered = map[string]string{
	"RegisterTaskDefinition": "taskDefinition", "CreateCapacityProvider": "capacityProvider", "UpdateCapacityProvider": "capacityProvider",
	"CreateService": "service", "UpdateService": "service", "CreateCluster": "cluster", "UpdateCluster": "cluster", "UpdateClusterSettings": "cluster", "RunTask": "tasks[]", "StartTask": "tasks[]",
}

// recorded returns a client whose requests are recorded.
func recorded(c *ecs.Client) *ecs.Client {
	note := middleware.InitializeMiddlewareFunc("Record", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error) {
		sent := given(in.Parameters)
		out, meta, err := next.HandleInitialize(ctx, in)
		op := middleware.GetOperationName(ctx)
		var refusal smithy.APIError
		record.Lock()
		defer record.Unlock()
		switch {
		case err == nil:
			enter(record.accepted, op, sent)
			if at, ok := answered[op]; ok {
				var kept []string
				shown := given(out.Result)
				for _, m := range sent {
					if slices.Contains(shown, at+"."+m) {
						kept = append(kept, m)
					}
				}
				enter(record.kept, op, kept)
			}
		case errors.As(err, &refusal) && refusal.ErrorFault() == smithy.FaultClient:
			enter(record.refused, op, sent)
		}
		return out, meta, err
	})
	return ecs.New(c.Options(), func(o *ecs.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { return s.Initialize.Add(note, middleware.Before) })
	})
}

func enter(in map[string]map[string]bool, op string, members []string) {
	if in[op] == nil {
		in[op] = map[string]bool{}
	}
	for _, m := range members {
		in[op][m] = true
	}
}

// given returns the members that a value has on the wire.
func given(v any) []string {
	var paths []string
	if v != nil {
		walkGiven(reflect.ValueOf(v), "", &paths)
	}
	return paths
}

func walkGiven(v reflect.Value, path string, paths *[]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if k := v.Elem().Kind(); k != reflect.Struct || v.Type().Elem() == reflect.TypeFor[time.Time]() {
			*paths = append(*paths, path) // also if it points to zero
			return
		}
		walkGiven(v.Elem(), path, paths)
	case reflect.Slice:
		for i := range v.Len() {
			walkGiven(v.Index(i), path+"[]", paths)
		}
	case reflect.Struct:
		wire, err := model.Of(v.Type())
		if err != nil {
			panic(err) // an SDK type that no protocol can encode
		}
		for _, m := range wire.Members {
			name := m.Name
			if path != "" {
				name = path + "." + name
			}
			walkGiven(v.Field(m.Index), name, paths)
		}
	case reflect.Map:
		if v.Len() > 0 {
			*paths = append(*paths, path)
		}
	default:
		if !v.IsZero() {
			*paths = append(*paths, path)
		}
	}
}

// allCasesRan says whether all cases have run, against our control plane.
func allCasesRan() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return *endpoint == ""
}

// unprovenMembers compares what docs/coverage.md says about each member with the requests of
// the run.
func unprovenMembers() []string {
	record.Lock()
	defer record.Unlock()
	var wrong []string
	for _, op := range frontdoor.Handlers(reflect.TypeFor[*apiecs.Service]()) {
		in, err := coverage.InputOf(op)
		if err != nil {
			return append(wrong, err.Error())
		}
		answer := answersOf(op)
		for _, m := range coverage.Members(in) {
			f, ok := coverage.FieldOf(coverage.Declared(op), m)
			say := func(format string, args ...any) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is declared %s", op, m, f.Outcome)+fmt.Sprintf(format, args...))
			}
			switch at, answers := answered[op]; {
			case !ok:
				wrong = append(wrong, op+": "+m+" is not declared")
			case f.Outcome == coverage.Refused && record.accepted[op][m]:
				say(", and a request with it was accepted")
			case f.Outcome == coverage.Refused && !record.refused[op][m]:
				say(", and no request with it was refused")
			case f.Outcome != coverage.Refused && !record.accepted[op][m]:
				say(", and no request with it was accepted")
			case f.Outcome != coverage.Refused && answers && slices.Contains(answer, at+"."+m) && !record.kept[op][m] && !findsNoHost(m):
				say(", and no answer shows it as %s.%s", at, m)
			}
		}
	}
	return wrong
}

// findsNoHost says whether a task with that member gets no host in a run, because no host
// has a GPU.
func findsNoHost(member string) bool {
	return strings.HasPrefix(member, "overrides.containerOverrides[].resourceRequirements")
}

// answersOf returns the members of an operation's answer.
func answersOf(op string) []string {
	m, ok := reflect.TypeFor[*ecs.Client]().MethodByName(op)
	if !ok {
		return nil
	}
	return coverage.Members(m.Type.Out(0).Elem())
}
