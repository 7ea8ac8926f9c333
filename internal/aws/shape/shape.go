// Package shape checks an SDK input by its types alone: that it has each member which
// the API's model requires, and that each enum has one of the model's values, at any
// depth.
package shape

import (
	"fmt"
	"iter"
	"reflect"
	"strings"
)

// A Violation is a member that breaks a rule of the model.
type Violation struct {
	Path string // "containerDefinitions[0].portMappings[1].protocol"
	Rule string // "is required", "must be tcp or udp, not \"icmp\""
	// Missing says that the member is required and missing.
	Missing bool
	// Enum is the type of an enum that doesn't know Value. It is nil for other
	// violations.
	Enum  reflect.Type
	Value string
}

// String returns the violation as a sentence.
func (v Violation) String() string { return v.Path + " " + v.Rule + "." }

// Member returns the path without the positions in lists: "tags[].key".
func (v Violation) Member() string {
	var b strings.Builder
	for rest := v.Path; ; {
		before, after, ok := strings.Cut(rest, "[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		b.WriteString("[]")
		_, rest, _ = strings.Cut(after, "]")
	}
}

// Violations yields the violations of an input, which must be a pointer to a struct, in
// the order of its members. As in the SDK's own checks, a required member is present if
// it isn't nil. The operation itself checks empty texts and lists.
func Violations(in any) iter.Seq[Violation] {
	return func(yield func(Violation) bool) {
		v := reflect.ValueOf(in)
		if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
			panic(fmt.Sprintf("shape: %T is no pointer to a struct", in))
		}
		w := walk{yield: yield}
		if p := planOf(v.Type().Elem()); p != nil {
			p.check(&w, v.Elem())
		}
	}
}

// A walk is the position in one input. It only builds its path for a violation.
type walk struct {
	yield func(Violation) bool
	path  []step
}

// A step leads to a member, or to a position in a list or map.
type step struct {
	name  string
	index int
	key   string
}

// report yields a violation with the walk's path.
func (w *walk) report(v Violation) bool {
	var b strings.Builder
	for _, s := range w.path {
		switch {
		case s.name != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		case s.key != "":
			fmt.Fprintf(&b, "[%s]", s.key)
		default:
			fmt.Fprintf(&b, "[%d]", s.index)
		}
	}
	v.Path = b.String()
	return w.yield(v)
}
