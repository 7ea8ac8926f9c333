// Package model says how the SDK's structs appear on the wire: which member a Go field
// is, its name in the model, and the traits that protocols need.
//
// The SDK itself is the source. A service's module has the schemas of its model, and
// each struct writes its members with their schemas. Of records which schema belongs to
// which field, so no rule about names is needed. For a struct without schemas (of an
// older module, or our own) the name follows from the Go name: see nameOf.
package model

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/aws/smithy-go"
)

// A Struct is a structure of the model.
type Struct struct {
	Type    reflect.Type
	Members []Member // in the order of the Go fields
	byName  map[string]int
}

// Member returns a member by its name, nil if there is none.
func (s *Struct) Member(name string) *Member {
	i, ok := s.byName[name]
	if !ok {
		return nil
	}
	return &s.Members[i]
}

// A Member is a member of a structure.
type Member struct {
	Index int    // of the Go field
	Name  string // in the model, and on the wire unless a trait says otherwise
	// Schema has the member's traits. It is nil if the SDK has none.
	Schema *smithy.Schema
}

// Trait returns a trait of a member, or T's zero value.
func Trait[T smithy.Trait](m *smithy.Schema) (T, bool) { return smithy.SchemaTrait[T](m) }

var structs sync.Map // reflect.Type → *Struct

// Of returns how a struct type appears on the wire.
func Of(t reflect.Type) (*Struct, error) {
	if s, ok := structs.Load(t); ok {
		return s.(*Struct), nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("model: %s is no struct", t)
	}
	s := &Struct{Type: t, byName: map[string]int{}}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Name != "noSmithyDocumentSerde" {
			return nil, fmt.Errorf("model: %s embeds %s", t, f.Type)
		}
		if !isMember(f) {
			continue
		}
		m := Member{Index: i, Schema: schemaOf(t, i)}
		if m.Schema != nil {
			m.Name = m.Schema.MemberName()
		} else {
			m.Name = nameOf(t, f)
		}
		if s.Member(m.Name) != nil {
			return nil, fmt.Errorf("model: two members of %s are called %s", t, m.Name)
		}
		s.byName[m.Name] = len(s.Members)
		s.Members = append(s.Members, m)
	}
	structs.Store(t, s)
	return s, nil
}

// isMember says whether a field is a member.
func isMember(f reflect.StructField) bool {
	if !f.IsExported() || sdkOnly[f.Name] != "" && f.Type.String() == sdkOnly[f.Name] {
		return false
	}
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return tag != "-"
}

// sdkOnly are the fields, by name and type, that the SDK adds to shapes for its own
// use.
var sdkOnly = map[string]string{
	"ResultMetadata":    "middleware.Metadata",
	"ErrorCodeOverride": "*string",
}

// nameOf returns the name of a member without a schema: the name in its json tag, in
// its service's model, or the Go name with a lower-case first letter.
func nameOf(t reflect.Type, f reflect.StructField) string {
	if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
		return tag
	}
	if s, name := findDeclared(t); s != nil && s.Names[name][f.Name] != "" {
		return s.Names[name][f.Name]
	}
	return LowerFirst(f.Name)
}

// LowerFirst returns s with a lower-case first letter.
func LowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
