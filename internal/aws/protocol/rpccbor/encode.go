// Package rpccbor is Smithy's RPC v2 CBOR protocol for the SDK's structs. Calls are
// POSTs to /service/S/operation/O, bodies are CBOR (RFC 8949).
//
// It leaves out nil pointers, slices, maps and interfaces, and empty enums. It writes
// everything else, also zeros. Times are epoch seconds under tag 1, with milliseconds.
// The protocol has no documents.
package rpccbor

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// These are the major types of an item, its first three bits.
const (
	majorUint byte = iota << 5
	majorNegative
	majorBytes
	majorText
	majorList
	majorMap
	majorTag
	majorSimple
)

// These are the simple values and the floats of majorSimple.
const (
	simpleFalse = majorSimple | 20 + iota
	simpleTrue
	simpleNull
	simpleUndefined
	_
	float16
	float32bits
	float64bits
	itemBreak = 0xff
)

// tagEpoch is the tag of a time in seconds since 1970.
const tagEpoch = 1

// Append appends v, a struct or a pointer to one.
func Append(dst []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return append(dst, majorMap), nil
		}
		rv = rv.Elem()
	}
	return appendStruct(dst, rv, 0)
}

// appendHead appends an item's major type and its argument.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, major|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

func appendText(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, float64bits), math.Float64bits(f))
}

func appendStruct(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if err := protocol.CheckDepth(depth); err != nil {
		return nil, err
	}
	s, err := model.Of(v.Type())
	if err != nil {
		return nil, err
	}
	n := 0
	for i := range s.Members {
		if !protocol.Absent(v.Field(s.Members[i].Index)) {
			n++
		}
	}
	dst = appendHead(dst, majorMap, uint64(n))
	for i := range s.Members {
		m := &s.Members[i]
		f := v.Field(m.Index)
		if protocol.Absent(f) {
			continue
		}
		if dst, err = appendValue(appendText(dst, m.Name), f, depth+1); err != nil {
			return nil, protocol.At(m.Name, err)
		}
	}
	return dst, nil
}

func appendValue(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if err := protocol.CheckDepth(depth); err != nil {
		return nil, err
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return append(dst, simpleNull), nil
		}
		return appendValue(dst, v.Elem(), depth)
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return appendFloat(appendHead(dst, majorTag, tagEpoch), float64(t.UnixMilli())/1e3), nil
		}
		return appendStruct(dst, v, depth)
	case reflect.String:
		return appendText(dst, v.String()), nil
	case reflect.Bool:
		if v.Bool() {
			return append(dst, simpleTrue), nil
		}
		return append(dst, simpleFalse), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if i := v.Int(); i < 0 {
			return appendHead(dst, majorNegative, uint64(-(i + 1))), nil
		}
		return appendHead(dst, majorUint, uint64(v.Int())), nil
	case reflect.Float32, reflect.Float64:
		return appendFloat(dst, v.Float()), nil
	case reflect.Slice:
		return appendSlice(dst, v, depth)
	case reflect.Map:
		return appendMap(dst, v, depth)
	case reflect.Interface:
		return appendUnion(dst, v, depth)
	}
	return nil, protocol.Errorf("%s has no form in CBOR", v.Type())
}

func appendSlice(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return append(appendHead(dst, majorBytes, uint64(v.Len())), v.Bytes()...), nil
	}
	dst = appendHead(dst, majorList, uint64(v.Len()))
	var err error
	for i := range v.Len() {
		if dst, err = appendValue(dst, v.Index(i), depth+1); err != nil {
			return nil, protocol.At("["+strconv.Itoa(i)+"]", err)
		}
	}
	return dst, nil
}

func appendMap(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	keys := v.MapKeys() // sorted, so that equal values have equal bytes
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	dst = appendHead(dst, majorMap, uint64(len(keys)))
	var err error
	for _, k := range keys {
		if dst, err = appendValue(appendText(dst, k.String()), v.MapIndex(k), depth+1); err != nil {
			return nil, protocol.At(k.String(), err)
		}
	}
	return dst, nil
}

func appendUnion(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	m, value, err := protocol.UnionValue(v)
	if err != nil {
		return nil, err
	}
	return appendValue(appendText(appendHead(dst, majorMap, 1), m.Name), value, depth+1)
}
