package model

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// A Service is the model of an AWS API. It refers to no Go types, because the linker
// includes each type that is referred to, with all of its methods.
type Service struct {
	Name        string // in actions and messages: "ecs"
	SigningName string // in the scope of a signature: "ecs"
	// GlobalRegion is the region for which clients of a global service sign:
	// "us-east-1". It is empty for any other service.
	GlobalRegion string
	// Shape is the service's name in the model, in X-Amz-Target, and in the paths of
	// RPC v2 CBOR: "AmazonEC2ContainerServiceV20141113".
	Shape     string
	Version   string // of the Query protocol: "2010-05-08"
	Namespace string // of XML answers: "https://iam.amazonaws.com/doc/2010-05-08/"
	// Module is the SDK module with the service's structs.
	Module string
	// Operations are all operations of the API, whether or not they are served here,
	// sorted by name.
	Operations []Operation
	// Names has wire names by struct and Go name. It has only the members whose wire
	// name is not the Go name with a lower-case first letter. Only modules without
	// schemas need it.
	Names map[string]map[string]string
	// Required has the Go names of the members that the model requires, by struct:
	// "CreateRoleInput", "types.Tag".
	Required map[string][]string
}

// An Operation is one call of an API.
type Operation struct {
	Name string
	// Method and Path belong to a REST protocol: "PUT", "/schedules/{Name}".
	Method, Path string
	// Bound has the input's members that a REST protocol puts outside of the body, by
	// their Go names.
	Bound map[string]Binding
}

// OperationNames returns the operations' names, sorted.
func (s *Service) OperationNames() []string {
	names := make([]string, len(s.Operations))
	for i, o := range s.Operations {
		names[i] = o.Name
	}
	return names
}

// A Binding says where in a request a member is.
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

// Declare registers a service for RequiredOf and returns it.
func Declare(s *Service) *Service {
	services.Store(s.Module, s)
	return s
}

// findDeclared returns the service of a struct, and the struct's name in its tables.
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

// RequiredOf returns the Go names of the members that a struct's model requires. It
// returns none if no declared service has the struct.
func RequiredOf(t reflect.Type) []string {
	s, name := findDeclared(t)
	if s == nil {
		return nil
	}
	return s.Required[name]
}
