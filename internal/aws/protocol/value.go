package protocol

import (
	"reflect"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
)

var (
	stringT = reflect.TypeFor[string]()
	timeT   = reflect.TypeFor[time.Time]()
)

// Absent says whether a member with this value is left out: a nil pointer, list, map or
// interface, or an unset enum or time. Zeros of plain numbers and booleans are written
// ("desiredCount": 0), as AWS does.
func Absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0 && v.Type() != stringT
	case reflect.Struct:
		return v.Type() == timeT && v.IsZero()
	}
	return false
}

// UnionValue returns a union's member and its value.
func UnionValue(v reflect.Value) (*model.UnionMember, reflect.Value, error) {
	u := model.UnionOf(v.Type())
	if u == nil {
		return nil, reflect.Value{}, Errorf("%s is no union that is declared", v.Type())
	}
	for i := range u.Members {
		m := &u.Members[i]
		if v.Elem().Type() == reflect.PointerTo(m.Type) && !v.Elem().IsNil() {
			return m, v.Elem().Elem().Field(m.Index), nil
		}
	}
	return nil, reflect.Value{}, Errorf("%s is no member of %s", v.Elem().Type(), u.Type.Name())
}
