// Package awsxml encodes the SDK's structs as XML, for the answers of AWS's Query, EC2
// and REST-XML protocols.
//
// It leaves out nil pointers, slices, maps and interfaces, and empty enums. It writes
// everything else, also zeros. The schemas' traits decide about names, flattened lists,
// attributes and formats of times.
package awsxml

import (
	"encoding/base64"
	"encoding/xml"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// An Encoder writes the XML of one protocol.
type Encoder struct {
	// Element is the name of a list's elements if their schema has none: "member", or
	// "item" for EC2.
	Element string
	// Name returns the name of a member without a schema and without an xml tag.
	Name func(member string) string
}

// AppendMembers appends the members of a struct, or of a pointer to one, each as an
// element.
func (e *Encoder) AppendMembers(dst []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return dst, nil
		}
		rv = rv.Elem()
	}
	return e.members(dst, rv, 0)
}

// AppendOpen appends a start tag. attributes are pairs of name and value.
func AppendOpen(dst []byte, name string, attributes ...string) []byte {
	dst = append(append(dst, '<'), name...)
	for i := 0; i+1 < len(attributes); i += 2 {
		dst = append(append(dst, ' '), attributes[i]...)
		dst = append(AppendText(append(dst, '=', '"'), attributes[i+1]), '"')
	}
	return append(dst, '>')
}

// AppendClose appends an end tag.
func AppendClose(dst []byte, name string) []byte {
	return append(append(append(dst, '<', '/'), name...), '>')
}

// AppendLeaf appends an element with a text.
func AppendLeaf(dst []byte, name, text string) []byte {
	return AppendClose(AppendText(AppendOpen(dst, name), text), name)
}

// AppendText appends character data. Characters that XML does not allow become U+FFFD.
func AppendText(dst []byte, s string) []byte {
	for _, r := range s {
		switch r {
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '&':
			dst = append(dst, "&amp;"...)
		case '"':
			dst = append(dst, "&#34;"...)
		case '\t', '\n', '\r':
			dst = append(strconv.AppendInt(append(dst, "&#x"...), int64(r), 16), ';')
		default:
			if !inXML(r) {
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// inXML says whether XML 1.0 allows a character.
func inXML(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

func (e *Encoder) members(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if err := protocol.CheckDepth(depth); err != nil {
		return nil, err
	}
	s, err := model.Of(v.Type())
	if err != nil {
		return nil, err
	}
	for i := range s.Members {
		m := &s.Members[i]
		if isAttribute(m.Schema) {
			continue // the start tag of its struct has it
		}
		name := e.nameOf(s, m)
		if dst, err = e.member(dst, name, v.Field(m.Index), m.Schema, depth+1); err != nil {
			return nil, protocol.At(name, err)
		}
	}
	return dst, nil
}

func isAttribute(schema *smithy.Schema) bool {
	_, ok := smithy.SchemaTrait[*traits.XMLAttribute](schema)
	return ok
}

func (e *Encoder) nameOf(s *model.Struct, m *model.Member) string {
	if tag, _, _ := strings.Cut(s.Type.Field(m.Index).Tag.Get("xml"), ","); tag != "" {
		return tag
	}
	if name, ok := smithy.SchemaDirectTrait[*traits.XMLName](m.Schema); ok {
		return name.Name
	}
	if m.Schema == nil && e.Name != nil {
		return e.Name(m.Name)
	}
	return m.Name
}

// member appends one member, or nothing if it is absent.
func (e *Encoder) member(dst []byte, name string, v reflect.Value, schema *smithy.Schema, depth int) ([]byte, error) {
	if protocol.Absent(v) {
		return dst, nil
	}
	if _, flat := smithy.SchemaDirectTrait[*traits.XMLFlattened](schema); flat {
		switch v.Kind() {
		case reflect.Slice:
			return e.elements(dst, name, v, schema, depth)
		case reflect.Map:
			return e.entries(dst, name, v, schema, depth)
		}
	}
	return e.element(dst, name, v, schema, depth)
}

var timeT = reflect.TypeFor[time.Time]()

// element appends a value between its tags.
func (e *Encoder) element(dst []byte, name string, v reflect.Value, schema *smithy.Schema, depth int) ([]byte, error) {
	if err := protocol.CheckDepth(depth); err != nil {
		return nil, err
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, protocol.Errorf("a list or map holds nothing at one place")
		}
		v = v.Elem()
	}
	dst, err := e.open(dst, name, v, schema)
	if err != nil {
		return nil, err
	}
	if dst, err = e.content(dst, v, schema, depth); err != nil {
		return nil, err
	}
	return AppendClose(dst, name), nil
}

// open appends a start tag with the namespace and the attributes of its content.
func (e *Encoder) open(dst []byte, name string, v reflect.Value, schema *smithy.Schema) ([]byte, error) {
	var attributes []string
	if ns, ok := smithy.SchemaTrait[*traits.XMLNamespace](schema); ok {
		attribute := "xmlns"
		if ns.Prefix != "" {
			attribute += ":" + ns.Prefix
		}
		attributes = append(attributes, attribute, ns.URI)
	}
	if v.Kind() == reflect.Struct && v.Type() != timeT {
		s, err := model.Of(v.Type())
		if err != nil {
			return nil, err
		}
		for i := range s.Members {
			m := &s.Members[i]
			if f := v.Field(m.Index); isAttribute(m.Schema) && !protocol.Absent(f) {
				attributes = append(attributes, e.nameOf(s, m), indirect(f).String())
			}
		}
	}
	return AppendOpen(dst, name, attributes...), nil
}

// indirect returns the target of an attribute's pointer: attributes are texts.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

func (e *Encoder) content(dst []byte, v reflect.Value, schema *smithy.Schema, depth int) ([]byte, error) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == timeT {
			return protocol.AppendTime(dst, v.Interface().(time.Time), protocol.TimeFormatOf(schema, protocol.DateTime)), nil
		}
		return e.members(dst, v, depth)
	case reflect.String:
		return AppendText(dst, v.String()), nil
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Float32, reflect.Float64:
		return appendFloat(dst, v.Float(), v.Type().Bits()), nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return base64.StdEncoding.AppendEncode(dst, v.Bytes()), nil
		}
		item := (*smithy.Schema)(nil)
		if schema != nil {
			item = schema.ListMember()
		}
		return e.elements(dst, elementName(item, e.Element), v, schema, depth)
	case reflect.Map:
		return e.entries(dst, "entry", v, schema, depth)
	case reflect.Interface:
		return e.union(dst, v, depth)
	}
	return nil, protocol.Errorf("%s has no form in XML", v.Type())
}

func (e *Encoder) elements(dst []byte, name string, v reflect.Value, schema *smithy.Schema, depth int) ([]byte, error) {
	var item *smithy.Schema
	if schema != nil {
		item = schema.ListMember()
	}
	var err error
	for i := range v.Len() {
		if dst, err = e.element(dst, name, v.Index(i), item, depth+1); err != nil {
			return nil, protocol.At("["+strconv.Itoa(i)+"]", err)
		}
	}
	return dst, nil
}

func (e *Encoder) entries(dst []byte, name string, v reflect.Value, schema *smithy.Schema, depth int) ([]byte, error) {
	var key, value *smithy.Schema
	if schema != nil {
		key, value = schema.MapKey(), schema.MapValue()
	}
	keys := v.MapKeys() // sorted, so that equal values have equal bytes
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	var err error
	for _, k := range keys {
		dst = AppendOpen(dst, name)
		if dst, err = e.element(dst, elementName(key, "key"), k, key, depth+1); err != nil {
			return nil, protocol.At(k.String(), err)
		}
		if dst, err = e.element(dst, elementName(value, "value"), v.MapIndex(k), value, depth+1); err != nil {
			return nil, protocol.At(k.String(), err)
		}
		dst = AppendClose(dst, name)
	}
	return dst, nil
}

func elementName(schema *smithy.Schema, otherwise string) string {
	if name, ok := smithy.SchemaDirectTrait[*traits.XMLName](schema); ok {
		return name.Name
	}
	return otherwise
}

func (e *Encoder) union(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	m, value, err := protocol.UnionValue(v)
	if err != nil {
		return nil, err
	}
	return e.element(dst, m.Name, value, nil, depth+1)
}

// appendFloat appends a number in the form of XML Schema.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

// Header is the beginning of each document.
const Header = xml.Header
