package frontdoor

import (
	"reflect"
	"strings"

	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
)

// Tags defines how the conditions of policies see a service's tags: as
// aws:ResourceTag/KEY, as the same with the service's own name (ecs:ResourceTag/KEY),
// as aws:RequestTag/KEY, and as aws:TagKeys.
type Tags struct {
	// OfResource returns the tags of a resource in a snapshot, by the resource's ARN.
	// It returns none if there is no such resource. Nil: no resource has tags.
	OfResource func(s *store.Snapshot, arn string) ([]identity.Tag, error)
	// OfInput returns the tags in an operation's input, and the keys of tags that the
	// input names without a value. Nil: InputTags.
	OfInput func(in any) (tags []identity.Tag, keys []string)
}

// InputTags reads the tags of an input where most services have them: in a member Tags,
// which is a map or a list of structs with a Key and a Value, and in a list TagKeys.
func InputTags(in any) (tags []identity.Tag, keys []string) {
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
			tags = append(tags, identity.Tag{Key: text(at.Key()), Value: text(at.Value())})
		}
	case list.Kind() == reflect.Slice && list.Type().Elem().Kind() == reflect.Struct:
		for i := range list.Len() {
			tags = append(tags, identity.Tag{Key: text(list.Index(i).FieldByName("Key")), Value: text(list.Index(i).FieldByName("Value"))})
		}
	}
	return tags, keys
}

// text returns a string, or the target of a pointer to one, "" for anything else.
func text(v reflect.Value) string {
	if v = reflect.Indirect(v); v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

// requestTagValues returns the values of a condition key about the tags of an input.
func (t *Tags) requestTagValues(in any, key string) []string {
	name, isTag := strings.CutPrefix(key, identity.KeyRequestTag)
	if !isTag && key != identity.KeyTagKeys {
		return nil
	}
	read := t.OfInput
	if read == nil {
		read = InputTags
	}
	tags, keys := read(in)
	if isTag {
		return identity.TagValues(tags, name)
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
