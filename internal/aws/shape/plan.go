package shape

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// A plan checks values of one type. Plans of recursive types refer to each other, so
// check is only called when a whole plan is built.
type plan struct {
	// check returns whether to continue. It is nil if there is nothing to check.
	check func(w *walk, v reflect.Value) bool
}

var (
	plans  sync.Map // reflect.Type -> *plan, nil if there is nothing to check
	planMu sync.Mutex
)

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	planMu.Lock()
	defer planMu.Unlock()
	b := builder{}
	p := b.plan(t)
	for t, p := range b {
		plans.Store(t, p)
	}
	return p
}

// A builder has the plans of one planOf until all of them are complete.
type builder map[reflect.Type]*plan

// plan returns the plan of a type, nil if there is nothing to check. A recursive type
// counts as having something to check: the types that refer to it are built before that
// is known.
func (b builder) plan(t reflect.Type) *plan {
	if p, ok := b[t]; ok {
		return p
	}
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{check: func(*walk, reflect.Value) bool { return true }}
	b[t] = p
	var check func(w *walk, v reflect.Value) bool
	switch t.Kind() {
	case reflect.String:
		check = enum(t)
	case reflect.Struct:
		check = b.structure(t)
	case reflect.Pointer:
		check = b.pointer(t)
	case reflect.Slice:
		check = b.list(t)
	case reflect.Map:
		check = b.mapping(t)
	case reflect.Interface:
		check = union
	}
	if check == nil {
		b[t] = nil
		return nil
	}
	p.check = check
	return p
}

// enum returns the check of a string type that knows its values.
func enum(t reflect.Type) func(*walk, reflect.Value) bool {
	m, ok := t.MethodByName("Values")
	if !ok || m.Type.NumIn() != 1 || m.Type.NumOut() != 1 || m.Type.Out(0) != reflect.SliceOf(t) {
		return nil
	}
	values := reflect.Zero(t).Method(m.Index).Call(nil)[0]
	known := map[string]bool{}
	var names []string
	for i := range values.Len() {
		known[values.Index(i).String()] = true
		names = append(names, values.Index(i).String())
	}
	allowed := listNames(names)
	return func(w *walk, v reflect.Value) bool {
		if s := v.String(); s != "" && !known[s] {
			return w.report(Violation{Rule: fmt.Sprintf("must be %s, not %q", allowed, s), Enum: t, Value: s})
		}
		return true
	}
}

// listNames returns "a, b or c".
func listNames(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

type member struct {
	index    int
	name     string
	required bool
	plan     *plan // may be nil
}

func (b builder) structure(t reflect.Type) func(*walk, reflect.Value) bool {
	wire, err := model.Of(t)
	if err != nil {
		return nil // the codec reports it
	}
	required := model.RequiredOf(t)
	var members []member
	for _, w := range wire.Members {
		f := t.Field(w.Index)
		m := member{w.Index, w.Name, slices.Contains(required, f.Name) && canBeUnset(f.Type), b.plan(f.Type)}
		if m.required || m.plan != nil {
			members = append(members, m)
		}
	}
	if len(members) == 0 {
		return nil
	}
	return func(w *walk, v reflect.Value) bool {
		depth := len(w.path)
		w.path = append(w.path, step{})
		for i := range members {
			m, f := &members[i], v.Field(members[i].index)
			w.path[depth].name = m.name
			if m.required && missing(f) {
				if !w.report(Violation{Rule: "is required", Missing: true}) {
					return false
				}
				continue
			}
			if m.plan != nil && !m.plan.check(w, f) {
				return false
			}
		}
		w.path = w.path[:depth]
		return true
	}
}

// canBeUnset says whether a value of t can be unset. A plain number or boolean can't,
// because its zero may be intended.
func canBeUnset(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.String:
		return true
	}
	return false
}

func missing(v reflect.Value) bool {
	if v.Kind() == reflect.String {
		return v.Len() == 0
	}
	return v.IsNil()
}

func (b builder) pointer(t reflect.Type) func(*walk, reflect.Value) bool {
	p := b.plan(t.Elem())
	if p == nil {
		return nil
	}
	return func(w *walk, v reflect.Value) bool { return v.IsNil() || p.check(w, v.Elem()) }
}

func (b builder) list(t reflect.Type) func(*walk, reflect.Value) bool {
	p := b.plan(t.Elem())
	if p == nil {
		return nil
	}
	return func(w *walk, v reflect.Value) bool {
		n := v.Len()
		if n == 0 {
			return true
		}
		depth := len(w.path)
		w.path = append(w.path, step{})
		for i := range n {
			w.path[depth].index = i
			if !p.check(w, v.Index(i)) {
				return false
			}
		}
		w.path = w.path[:depth]
		return true
	}
}

func (b builder) mapping(t reflect.Type) func(*walk, reflect.Value) bool {
	p := b.plan(t.Elem())
	if p == nil {
		return nil
	}
	return func(w *walk, v reflect.Value) bool {
		if v.Len() == 0 {
			return true
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		depth := len(w.path)
		for _, k := range keys {
			w.path = append(w.path[:depth], step{key: k.String()})
			if !p.check(w, v.MapIndex(k)) {
				return false
			}
		}
		w.path = w.path[:depth]
		return true
	}
}

// union checks the one member of a union. A document is not a union and has nothing to
// check.
func union(w *walk, v reflect.Value) bool {
	if v.IsNil() || model.UnionOf(v.Type()) == nil {
		return true
	}
	m, value, err := protocol.UnionValue(v)
	if err != nil {
		return true // the codec makes no such value
	}
	p := planOf(value.Type())
	if p == nil {
		return true
	}
	depth := len(w.path)
	w.path = append(w.path, step{name: m.Name})
	if !p.check(w, value) {
		return false
	}
	w.path = w.path[:depth]
	return true
}
