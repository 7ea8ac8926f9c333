package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// detail is an event's detail: members by name. Its values are strings, numbers,
// booleans, times, nil for null, and lists and structs of the SDK.
type detail map[string]any

// newDetail converts a struct of the SDK into the form that events have: as the API
// answers it, but with times as text and members by name.
func newDetail(v any) detail {
	d, ok := plain(reflect.ValueOf(v)).(detail)
	if !ok {
		panic(fmt.Sprintf("events: %T is no structure", v))
	}
	return d
}

func (d detail) encode() json.RawMessage {
	b, err := json.Marshal(plain(reflect.ValueOf(d))) // json writes maps in the order of their keys
	if err != nil {
		panic(fmt.Sprintf("events: a detail that can't be encoded: %v", err)) // it has only plain values
	}
	return b
}

// timeForm is the form of times within the detail of ECS's events.
const timeForm = "2006-01-02T15:04:05.000Z"

var timeT = reflect.TypeFor[time.Time]()

// plain returns v as a tree of details, lists and scalars. Absent members are left
// out.
func plain(v reflect.Value) any {
	switch {
	case !v.IsValid():
		return nil
	case v.Type() == timeT:
		return v.Interface().(time.Time).UTC().Format(timeForm)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.Struct:
		if r, ok := v.Interface().(types.Resource); ok {
			return resource(r)
		}
		out := detail{}
		wire, err := model.Of(v.Type())
		if err != nil {
			return nil
		}
		for _, m := range wire.Members {
			if f := v.Field(m.Index); !absent(f) {
				out[m.Name] = plain(f)
			}
		}
		return out
	case reflect.Map:
		out := detail{}
		for _, k := range v.MapKeys() {
			out[k.String()] = plain(v.MapIndex(k))
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	}
	return v.Interface()
}

// absent reports whether a member is left out: it is not set, or an empty enum.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0 && v.Type() != reflect.TypeFor[string]()
	}
	return false
}

// resource returns a resource as events show it: only the value of its type.
func resource(r types.Resource) detail {
	d := detail{"name": aws.ToString(r.Name), "type": aws.ToString(r.Type)}
	switch aws.ToString(r.Type) {
	case "INTEGER":
		d["integerValue"] = r.IntegerValue
	case "LONG":
		d["longValue"] = r.LongValue
	case "DOUBLE":
		d["doubleValue"] = r.DoubleValue
	case "STRINGSET":
		d["stringSetValue"] = append([]string{}, r.StringSetValue...)
	}
	return d
}

// without removes members and returns d.
func (d detail) without(names ...string) detail {
	maps.DeleteFunc(d, func(name string, _ any) bool { return slices.Contains(names, name) })
	return d
}
