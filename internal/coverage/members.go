package coverage

import (
	"reflect"
	"time"

	"github.com/ashore/ashore/internal/aws/json11"
)

// Members are the paths of everything that an input can hold, in the order of
// its struct: "tags[].key". A list's elements are "[]", a map is one member.
func Members(in reflect.Type) []string {
	var paths []string
	walk(in, "", nil, &paths)
	return paths
}

func walk(t reflect.Type, path string, within []reflect.Type, paths *[]string) {
	switch {
	case t.Kind() == reflect.Pointer:
		walk(t.Elem(), path, within, paths)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		walk(t.Elem(), path+"[]", within, paths)
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
		for _, outer := range within {
			if outer == t { // a type that holds itself is declared once
				return
			}
		}
		for i := range t.NumField() {
			name, ok := json11.Name(t, t.Field(i))
			if !ok {
				continue
			}
			next := name
			if path != "" {
				next = path + "." + name
			}
			walk(t.Field(i).Type, next, append(within, t), paths)
		}
	default:
		*paths = append(*paths, path)
	}
}
