// Package query decodes the forms of AWS's Query protocol and of EC2's dialect of it:
// "Action=AssumeRole&Tags.member.1.Key=a". Answers are XML, see awsxml.
//
// AWS's Query protocol puts the name of a list's elements before their numbers
// ("Tags.member.1"). EC2 puts the numbers directly behind the list's name ("Tag.1").
// EC2's shapes are written by hand; a tag `query:"Tag"` gives the name on the wire.
package query

import (
	"reflect"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// A Dialect is AWS's Query protocol or EC2's.
type Dialect int

const (
	AWS Dialect = iota
	EC2
)

// A shape says how a list, a map or a time is written in one place.
type shape struct {
	element    string // of a list: "member"; of a map: "entry"; empty if flattened
	key, value string // of a map's entries
	time       protocol.TimeFormat
	item       *smithy.Schema // of a list's elements or a map's values
}

// of returns the shape of an element or a value, which is never flattened.
func (s shape) of(schema *smithy.Schema) shape { return shapeOf(schema, false) }

// inputName returns the name of a member in a form.
func (d Dialect) inputName(s *model.Struct, m *model.Member) string {
	if tag := s.Type.Field(m.Index).Tag.Get("query"); tag != "" {
		return tag
	}
	if name, ok := smithy.SchemaDirectTrait[*traits.XMLName](m.Schema); ok {
		return name.Name
	}
	if d == EC2 {
		return s.Type.Field(m.Index).Name
	}
	return m.Name
}

// shape returns the shape of a member's value.
func (d Dialect) shape(s *model.Struct, m *model.Member) shape {
	if d == EC2 {
		return shape{time: protocol.DateTime}
	}
	if m.Schema == nil {
		return unmodelled(s.Type.Field(m.Index).Type)
	}
	_, flat := smithy.SchemaDirectTrait[*traits.XMLFlattened](m.Schema)
	return shapeOf(m.Schema, flat)
}

func shapeOf(schema *smithy.Schema, flat bool) shape {
	s := shape{time: protocol.TimeFormatOf(schema, protocol.DateTime)}
	if schema == nil {
		return s
	}
	switch schema.Type() {
	case smithy.ShapeTypeList, smithy.ShapeTypeSet:
		s.item = schema.ListMember()
		if !flat {
			s.element = nameIn(s.item, "member")
		}
	case smithy.ShapeTypeMap:
		s.item = schema.MapValue()
		s.key, s.value = nameIn(schema.MapKey(), "key"), nameIn(s.item, "value")
		if !flat {
			s.element = "entry"
		}
	}
	return s
}

// unmodelled returns the shape of a member without a schema.
func unmodelled(t reflect.Type) shape {
	s := shape{time: protocol.DateTime, key: "key", value: "value"}
	switch t.Kind() {
	case reflect.Slice:
		s.element = "member"
	case reflect.Map:
		s.element = "entry"
	}
	return s
}

func nameIn(schema *smithy.Schema, otherwise string) string {
	if name, ok := smithy.SchemaDirectTrait[*traits.XMLName](schema); ok {
		return name.Name
	}
	return otherwise
}
