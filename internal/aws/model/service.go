package model

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// A Service is an API of AWS as its model describes it. It names no Go types: a
// type that is named is linked, with all of its methods, whether it is used or not.
type Service struct {
	Name        string // as actions and messages name it: "ecs"
	SigningName string // in the scope of a signature: "ecs"
	// GlobalRegion is what clients sign for where the service is one in all regions:
	// "us-east-1"; empty for any other service.
	GlobalRegion string
	// Shape is the service's name in the model, in X-Amz-Target and in the paths of
	// RPC v2 CBOR: "AmazonEC2ContainerServiceV20141113".
	Shape     string
	Version   string // of the Query protocol: "2010-05-08"
	Namespace string // of XML answers: "https://iam.amazonaws.com/doc/2010-05-08/"
	// Module is the SDK's module, whose types the service's structs are.
	Module string
	// Operations are all of the API, served here or not, by name in order.
	Operations []Operation
	// Names are the members, by their Go names, that are called otherwise on the
	// wire than their Go name with a small first letter, by the struct. Only a
	// module without schemas needs them.
	Names map[string]map[string]string
	// Required are the members that the model requires, by their Go names, by the
	// struct: "CreateRoleInput", "types.Tag".
	Required map[string][]string
}

// An Operation is one call of an API.
type Operation struct {
	Name string
	// Method and Path are those of a REST protocol: "PUT", "/schedules/{Name}".
	Method, Path string
	// Bound are the members of the input that a REST protocol puts elsewhere than
	// into the body, by their Go names.
	Bound map[string]Binding
}

// OperationNames are the operations' names, in order.
func (s *Service) OperationNames() []string {
	names := make([]string, len(s.Operations))
	for i, o := range s.Operations {
		names[i] = o.Name
	}
	return names
}

// A Binding is where in a request a member stands.
type Binding struct {
	In   Place
	Name string // of the label, the parameter or the header
}

// A Place is a part of a request.
type Place string

const (
	InLabel  Place = "label"
	InQuery  Place = "query"
	InHeader Place = "header"
)

// Operation returns an operation by its name, or nil.
func (s *Service) Operation(name string) *Operation {
	i, ok := slices.BinarySearchFunc(s.Operations, name, func(o Operation, name string) int {
		switch {
		case o.Name < name:
			return -1
		case o.Name > name:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &s.Operations[i]
}

var services sync.Map // module → *Service

// Declare makes a service known, for RequiredOf, and returns it.
func Declare(s *Service) *Service {
	services.Store(s.Module, s)
	return s
}

// findDeclared is the service that has a struct, and what its tables call the struct.
func findDeclared(t reflect.Type) (*Service, string) {
	module, name := t.PkgPath(), t.Name()
	if m, ok := strings.CutSuffix(module, "/types"); ok {
		module, name = m, "types."+name
	}
	s, ok := services.Load(module)
	if !ok {
		return nil, name
	}
	return s.(*Service), name
}

// RequiredOf are the members of a struct that its service's model requires, by
// their Go names. There are none where no service that is declared has the struct.
func RequiredOf(t reflect.Type) []string {
	s, name := findDeclared(t)
	if s == nil {
		return nil
	}
	return s.Required[name]
}
