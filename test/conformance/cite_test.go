package conformance

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// shapes returns the structures of the API's model by name.
var shapes = sync.OnceValue(func() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			if !strings.Contains(t.PkgPath(), "/service/ecs") || all[t.Name()] != nil {
				return
			}
			all[t.Name()] = t
			for i := range t.NumField() {
				walk(t.Field(i).Type)
			}
		}
	}
	client := reflect.TypeFor[*ecs.Client]()
	for i := range client.NumMethod() {
		if m := client.Method(i).Type; m.NumIn() == 4 && m.NumOut() == 2 {
			walk(m.In(2))
			walk(m.Out(0))
		}
	}
	return all
})

// cited returns an error that says what is wrong with a citation.
func cited(s string) error {
	if ref, ok := strings.CutPrefix(s, "model: "); ok {
		shape, member, _ := strings.Cut(ref, ".")
		t := shapes()[shape]
		if t == nil {
			return fmt.Errorf("the citation %q names no shape of the model", s)
		}
		r := []rune(member)
		if len(r) == 0 {
			return fmt.Errorf("the citation %q names no member", s)
		}
		r[0] = unicode.ToUpper(r[0])
		if _, ok := t.FieldByName(string(r)); !ok {
			return fmt.Errorf("the citation %q: %s has no such member", s, shape)
		}
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Host, "amazon.com") && u.Host != "github.com" {
		return fmt.Errorf("the citation %q is neither a public page nor \"model: Shape.member\"", s)
	}
	return nil
}
