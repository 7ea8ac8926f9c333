package ecs

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxTags is how many tags of its users a resource can have. Those that ECS sets
// itself don't count.
const maxTags = 50

// tagText are the characters of keys and values: the model's TagKey and TagValue.
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// validTags checks the tags of a request by the rules that the API reference
// gives for them.
func validTags(tags []types.Tag) error {
	if len(tags) > maxTags {
		return invalid("tags: a resource can have at most %d tags, not %d.", maxTags, len(tags))
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		k, v := aws.ToString(t.Key), aws.ToString(t.Value)
		if err := validTagKey("tags", k); err != nil {
			return err
		}
		switch {
		case utf8.RuneCountInString(v) > 256:
			return invalid("tags: the value of %q must have at most 256 characters.", k)
		case !tagText.MatchString(v):
			return invalid("tags: the value %q of %q has a character that is not allowed: letters, numbers, spaces and _ . : / = + - @ are.", v, k)
		case reserved(v):
			return invalid("tags: the value %q of %q begins with aws:, which is reserved.", v, k)
		case seen[k]:
			return invalid("tags: the key %q is given twice.", k)
		}
		if err := fleet.CheckSetting(k, v); err != nil {
			return invalid("tags: %s.", err)
		}
		seen[k] = true
	}
	return nil
}

// validTagKey checks a key in the request's field.
func validTagKey(field, k string) error {
	switch n := utf8.RuneCountInString(k); {
	case n < 1 || n > 128:
		return invalid("%s: the key %q must have 1 to 128 characters.", field, k)
	case !tagText.MatchString(k):
		return invalid("%s: the key %q has a character that is not allowed: letters, numbers, spaces and _ . : / = + - @ are.", field, k)
	case reserved(k):
		return invalid("%s: the key %q begins with aws:, which is reserved.", field, k)
	}
	return nil
}

// reserved says whether a tag's key or value is ECS's own.
func reserved(s string) bool { return len(s) >= 4 && strings.EqualFold(s[:4], "aws:") }

// ownTags counts the tags that count against the limit.
func ownTags(tags []types.Tag) int {
	n := 0
	for _, t := range tags {
		if !reserved(aws.ToString(t.Key)) {
			n++
		}
	}
	return n
}

// mergeTags joins tags, of which the later ones win.
func mergeTags(lists ...[]types.Tag) []types.Tag {
	var out []types.Tag
	at := map[string]int{}
	for _, list := range lists {
		for _, t := range list {
			k := aws.ToString(t.Key)
			if i, had := at[k]; had {
				out[i] = t
				continue
			}
			at[k] = len(out)
			out = append(out, t)
		}
	}
	return out
}
