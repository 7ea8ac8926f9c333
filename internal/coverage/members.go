package coverage

import (
	"reflect"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
)

// Members returns the paths of everything that an input can contain, in the order of
// its struct: "tags[].key". The elements of a list are "[]", a map is one member.
func Members(in reflect.Type) []string {
	var paths []string
	appendMembers(in, "", nil, &paths)
	return paths
}

func appendMembers(t reflect.Type, path string, within []reflect.Type, paths *[]string) {
	switch {
	case t.Kind() == reflect.Pointer:
		appendMembers(t.Elem(), path, within, paths)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		appendMembers(t.Elem(), path+"[]", within, paths)
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
		for _, outer := range within {
			if outer == t { // a type that holds itself is declared once
				return
			}
		}
		wire, err := model.Of(t)
		if err != nil {
			panic(err) // a type of the SDK that no protocol can write
		}
		for _, m := range wire.Members {
			next := m.Name
			if path != "" {
				next = path + "." + m.Name
			}
			appendMembers(t.Field(m.Index).Type, next, append(within, t), paths)
		}
	default:
		*paths = append(*paths, path)
	}
}
