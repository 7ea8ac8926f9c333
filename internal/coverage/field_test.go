package coverage

import (
	"reflect"
	"slices"
	"testing"

	"github.com/ashore/ashore/internal/api/ecs"
	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/frontdoor"
)

// Every member of every served input is declared, and nothing else is.
func TestEveryMemberIsDeclared(t *testing.T) {
	for _, op := range frontdoor.Handlers(reflect.TypeFor[*ecs.Service]()) {
		in, err := InputOf(op)
		if err != nil {
			t.Error(err)
			continue
		}
		fields, used := Declared(op), map[string]bool{}
		for _, m := range Members(in) {
			f, ok := FieldOf(fields, m)
			if !ok {
				t.Errorf("%s: %s is not declared: internal/coverage/fields_….go says of each member what becomes of it", op, m)
			}
			used[f.Path] = true
		}
		for i, f := range fields {
			if !used[f.Path] {
				t.Errorf("%s: %s is declared and no member of the input", op, f.Path)
			}
			if slices.ContainsFunc(fields[:i], func(g Field) bool { return g.Path == f.Path }) {
				t.Errorf("%s: %s is declared twice", op, f.Path)
			}
			if f.Outcome != Effective && f.Note == "" {
				t.Errorf("%s: %s is %s, and why is not said", op, f.Path, f.Outcome)
			}
		}
	}
	for op := range declared {
		if ecsmodel.Model.Operation(op) == nil {
			t.Errorf("%s is declared and no operation", op)
		}
	}
}

func TestOf(t *testing.T) {
	fs := fields(effective("a", "ab"), stored("x", "a[].b"))
	for member, want := range map[string]string{"a": "a", "a[].c": "a", "a[].b": "a[].b", "a[].b.c": "a[].b", "a[].bc": "a", "ab": "ab", "abc": ""} {
		if f, ok := FieldOf(fs, member); f.Path != want || ok != (want != "") {
			t.Errorf("%s belongs to %q, want %q", member, f.Path, want)
		}
	}
}
