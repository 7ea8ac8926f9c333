package model

import (
	"math/big"
	"reflect"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
)

// members has the members that one of the SDK's structs with schemas writes.
type members interface {
	SerializeMembers(smithy.ShapeSerializer)
}

// schemaOf returns the schema with which the SDK writes a field of t, nil if there is
// none. It compares what a struct with only that field set writes with what an empty
// struct writes: the schema whose value differs is the field's. The SDK always writes
// numbers and booleans that the model requires.
func schemaOf(t reflect.Type, field int) *smithy.Schema {
	unset, one := reflect.New(t), reflect.New(t)
	m, ok := one.Interface().(members)
	if !ok || !setSample(one.Elem().Field(field)) {
		return nil
	}
	var before, after recorder
	unset.Interface().(members).SerializeMembers(&before)
	m.SerializeMembers(&after)
	for schema, v := range after.values {
		if was, ok := before.values[schema]; !ok || was != v {
			return schema
		}
	}
	return nil
}

// SchemaOf returns the schema of an SDK structure, nil if it has none.
func SchemaOf(t reflect.Type) *smithy.Schema {
	v, ok := reflect.New(t).Interface().(smithy.Serializable)
	if !ok {
		return nil
	}
	var all recorder
	v.Serialize(&all)
	for schema := range all.values { // the first is the structure itself; all others are below it
		return schema
	}
	return nil
}

// setSample sets a field to a value that the SDK writes. It returns false for documents
// and streams. Their names follow from their Go names.
func setSample(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	case reflect.Interface:
		u := UnionOf(v.Type())
		if u == nil {
			return false
		}
		v.Set(reflect.New(u.Members[0].Type))
	default:
		return false
	}
	return true
}

// A recorder is a serializer that records the values at the top level, by schema:
// scalars with their values, everything else as true.
type recorder struct {
	values map[*smithy.Schema]any
	depth  int
}

func (r *recorder) record(s *smithy.Schema, v any) {
	if r.depth == 0 && s != nil {
		if r.values == nil {
			r.values = map[*smithy.Schema]any{}
		}
		r.values[s] = v
	}
}

func (r *recorder) open(s *smithy.Schema) {
	r.record(s, true)
	r.depth++
}

func (r *recorder) Bytes() []byte                                    { return nil }
func (r *recorder) WriteInt8(s *smithy.Schema, v int8)               { r.record(s, v) }
func (r *recorder) WriteInt16(s *smithy.Schema, v int16)             { r.record(s, v) }
func (r *recorder) WriteInt32(s *smithy.Schema, v int32)             { r.record(s, v) }
func (r *recorder) WriteInt64(s *smithy.Schema, v int64)             { r.record(s, v) }
func (r *recorder) WriteFloat32(s *smithy.Schema, v float32)         { r.record(s, v) }
func (r *recorder) WriteFloat64(s *smithy.Schema, v float64)         { r.record(s, v) }
func (r *recorder) WriteBool(s *smithy.Schema, v bool)               { r.record(s, v) }
func (r *recorder) WriteString(s *smithy.Schema, v string)           { r.record(s, v) }
func (r *recorder) WriteBigInt(s *smithy.Schema, _ *big.Int)         { r.record(s, true) }
func (r *recorder) WriteBigFloat(s *smithy.Schema, _ *big.Float)     { r.record(s, true) }
func (r *recorder) WriteBlob(s *smithy.Schema, _ []byte)             { r.record(s, true) }
func (r *recorder) WriteTime(s *smithy.Schema, _ time.Time)          { r.record(s, true) }
func (r *recorder) WriteDocument(s *smithy.Schema, _ document.Value) { r.record(s, true) }
func (r *recorder) WriteNil(s *smithy.Schema)                        { r.record(s, true) }
func (r *recorder) WriteKey(*smithy.Schema, string)                  {}
func (r *recorder) WriteUnion(s, _ *smithy.Schema)                   { r.open(s) }
func (r *recorder) CloseUnion()                                      { r.depth-- }
func (r *recorder) WriteStruct(s *smithy.Schema)                     { r.open(s) }
func (r *recorder) CloseStruct()                                     { r.depth-- }
func (r *recorder) WriteList(s *smithy.Schema)                       { r.open(s) }
func (r *recorder) CloseList()                                       { r.depth-- }
func (r *recorder) WriteMap(s *smithy.Schema)                        { r.open(s) }
func (r *recorder) CloseMap()                                        { r.depth-- }
