package frontdoor

import (
	"reflect"
	"strings"

	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
)

// Tag is a tag of a resource or of a request, of any service.
type Tag struct{ Key, Value string }

// Tags is how the conditions of policies see a service's tags: aws:ResourceTag/KEY, and
// the same under the service's own name as in ecs:ResourceTag/KEY, aws:RequestTag/KEY and
// aws:TagKeys.
type Tags struct {
	// OfResource returns the tags that a snapshot has for the resource of an ARN, none
	// where it has no such resource. Nil: no resource has tags.
	OfResource func(s *store.Snapshot, arn string) ([]Tag, error)
	// OfInput returns the tags in an operation's input, and the keys of tags that it
	// names without a value. Nil: InputTags.
	OfInput func(in any) (tags []Tag, keys []string)
}

// InputTags reads the tags of an input where most services have them: in a member Tags,
// which is a list of structs with a Key and a Value or a map, and in a list TagKeys.
func InputTags(in any) (tags []Tag, keys []string) {
	v := reflect.Indirect(reflect.ValueOf(in))
	if v.Kind() != reflect.Struct {
		return nil, nil
	}
	if list := v.FieldByName("TagKeys"); list.IsValid() {
		keys, _ = list.Interface().([]string)
	}
	list := v.FieldByName("Tags")
	switch {
	case !list.IsValid():
	case list.Kind() == reflect.Map:
		for at := list.MapRange(); at.Next(); {
			tags = append(tags, Tag{text(at.Key()), text(at.Value())})
		}
	case list.Kind() == reflect.Slice && list.Type().Elem().Kind() == reflect.Struct:
		for i := range list.Len() {
			tags = append(tags, Tag{text(list.Index(i).FieldByName("Key")), text(list.Index(i).FieldByName("Value"))})
		}
	}
	return tags, keys
}

// text is a string or a pointer to one; "" where it is neither.
func text(v reflect.Value) string {
	if v = reflect.Indirect(v); v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

// requestTag gives the values of a condition key about the tags of an input.
func (t *Tags) requestTag(in any, key string) []string {
	name, isTag := strings.CutPrefix(key, identity.KeyRequestTag)
	if !isTag && key != identity.KeyTagKeys {
		return nil
	}
	of := t.OfInput
	if of == nil {
		of = InputTags
	}
	tags, keys := of(in)
	if isTag {
		return valuesOf(tags, name)
	}
	values := append([]string{}, keys...)
	for _, tag := range tags {
		values = append(values, tag.Key)
	}
	if len(values) == 0 {
		return nil
	}
	return values
}

// valuesOf are the values of the tags with a name in lower case.
func valuesOf(tags []Tag, name string) (values []string) {
	for _, tag := range tags {
		if strings.ToLower(tag.Key) == name {
			values = append(values, tag.Value)
		}
	}
	return values
}
