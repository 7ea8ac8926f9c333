package model

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
)

// A Union is an interface of the SDK. Its value is exactly one of several members.
type Union struct {
	Type    reflect.Type
	Members []UnionMember
}

// Member returns a member by its name, nil if there is none.
func (u *Union) Member(name string) *UnionMember {
	for i := range u.Members {
		if u.Members[i].Name == name {
			return &u.Members[i]
		}
	}
	return nil
}

// A UnionMember is a struct whose only field is its Value.
type UnionMember struct {
	Name  string
	Type  reflect.Type
	Index int // of the field Value
	Value reflect.Type
}

// A Document is an interface of the SDK that holds any JSON.
type Document struct {
	// Make returns a document from its JSON. raw is the JSON text, v the decoded value.
	Make func(raw []byte, v any) any
}

var (
	unions    sync.Map // reflect.Type → *Union
	documents sync.Map // reflect.Type → *Document
)

// DeclareUnion declares a union's members by their names in the model, because
// reflection can't find them. Each service's model declares its unions when its package
// is initialized.
func DeclareUnion[I any](members map[string]I) {
	u := &Union{Type: reflect.TypeFor[I]()}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		t := reflect.TypeOf(members[name]).Elem()
		value, ok := t.FieldByName("Value")
		if !ok {
			panic(fmt.Sprintf("model: %s is no member of a union", t))
		}
		u.Members = append(u.Members, UnionMember{name, t, value.Index[0], value.Type})
	}
	unions.Store(u.Type, u)
}

// DeclareDocument declares how a document of type I is made.
func DeclareDocument[I any](make func(raw []byte, v any) any) {
	documents.Store(reflect.TypeFor[I](), &Document{make})
}

// UnionOf returns a declared union, nil if there is none.
func UnionOf(t reflect.Type) *Union {
	u, _ := unions.Load(t)
	union, _ := u.(*Union)
	return union
}

// DocumentOf returns a declared document, nil if there is none.
func DocumentOf(t reflect.Type) *Document {
	d, _ := documents.Load(t)
	document, _ := d.(*Document)
	return document
}
